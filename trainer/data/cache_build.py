"""Fills a cache of decoded images: by one run at a time, continuing where a killed one stopped."""

import fcntl
import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from app.errors import ImageError, ImageUndecodable
from app.images.limits import ImageLimits
from app.images.prepare import Pixels, prepare
from app.images.square import Resize
from gemello.progress import say
from trainer.data.near_duplicates import SIGNATURE, signature
from trainer.data.records import Record
from trainer.errors import DataError

# One's own training images may be larger than what a service takes from strangers.
TRUSTED = ImageLimits(max_bytes=200_000_000, max_pixels=200_000_000)
# One for each image that decodes, in the order of the images; ``record`` is its index among all, the
# sides are those of the upright original.
METADATA = np.dtype(
    [
        ("record", "<i8"),
        ("sha256", "u1", (32,)),
        ("signature", SIGNATURE),
        ("width", "<u4"),
        ("height", "<u4"),
    ]
)
_CHUNK = 64
# Images between two marks from which a killed build goes on.
_MARK_EVERY = 1024


@dataclass(slots=True)
class _Mark:
    """How far a build has come: records looked at, images written, and what is wrong with others."""

    records: int = 0
    images: int = 0
    bad: dict[int, str] = field(default_factory=dict)


def complete(target: Path) -> bool:
    return (target / "done.json").is_file()


def build(
    records: Sequence[Record],
    size: int,
    resize: Resize,
    target: Path,
    advance: Callable[[int], None],
) -> None:
    """Decode ``records`` into ``target``: ``images.bin``, ``metadata.bin``, ``done.json``.

    Renamed into place when complete. A second run with the same records waits for the first.
    Raises ``OSError``, or ``DataError`` when the disk is too small.
    """
    with _claimed(target) as scratch:
        if scratch is None:
            advance(len(records))
            return
        _remove_dead(target.parent, scratch)
        try:
            _fill(records, size, resize, scratch, advance)
            scratch.rename(target)
        except OSError:
            # Most likely the disk is full: others need the room more than a next run does.
            shutil.rmtree(scratch, ignore_errors=True)
            raise


@contextmanager
def _claimed(target: Path) -> Iterator[Path | None]:
    """The scratch folder of ``target``, this run's alone; None when another run completed it.

    The lock is on the folder itself, so that it goes with its process, however that ends.
    """
    scratch = target.with_name(f".{target.name}.part")
    while not complete(target):
        scratch.mkdir(parents=True, exist_ok=True)
        descriptor = _locked(scratch, wait=True)
        if descriptor is None:
            continue
        try:
            yield scratch
        finally:
            os.close(descriptor)
        return
    yield None


def _locked(folder: Path, *, wait: bool) -> int | None:
    """A descriptor that holds the lock on ``folder``; None when it is gone, or held by another."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    if _flock(descriptor, wait=wait) and _is(folder, descriptor):
        return descriptor
    os.close(descriptor)
    return None


def _flock(descriptor: int, *, wait: bool) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            return False
        say("Another run is decoding these images; waiting for it.")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    return True


def _is(folder: Path, descriptor: int) -> bool:
    """Whether it has neither been renamed into place nor removed while its lock was waited for."""
    try:
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _remove_dead(folder: Path, own: Path) -> None:
    """Scratch folders whose run was killed, and which nobody came back for."""
    for path in folder.glob(".*.part"):
        if path != own and (descriptor := _locked(path, wait=False)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _fill(
    records: Sequence[Record],
    size: int,
    resize: Resize,
    scratch: Path,
    advance: Callable[[int], None],
) -> None:
    mark = _read_mark(scratch, size)
    _check_room(scratch, (len(records) - mark.records) * size * size * 3)
    advance(mark.records)
    with (
        ThreadPoolExecutor(os.cpu_count() or 1) as pool,
        (scratch / "images.bin").open("ab") as images,
        (scratch / "metadata.bin").open("ab") as metadata,
    ):
        images.truncate(mark.images * size * size * 3)
        metadata.truncate(mark.images * METADATA.itemsize)
        marked = mark.records
        try:
            while mark.records < len(records):
                chunk = records[mark.records : mark.records + _CHUNK]
                for result in pool.map(lambda r: _decode(r, size, resize), chunk):
                    _write(result, mark, images, metadata)
                if mark.records - marked >= _MARK_EVERY:
                    _write_mark(scratch / "mark.json", mark, images, metadata)
                    marked = mark.records
                advance(len(chunk))
        except KeyboardInterrupt:
            _write_mark(scratch / "mark.json", mark, images, metadata)
            raise
        _write_mark(scratch / "done.json", mark, images, metadata)


def _write(
    result: tuple[Pixels, Any] | ImageError, mark: _Mark, images: BinaryIO, metadata: BinaryIO
) -> None:
    if isinstance(result, ImageError):
        mark.bad[mark.records] = str(result)
    else:
        pixels, row = result
        row["record"] = mark.records
        images.write(pixels.data)
        metadata.write(row.tobytes())
        mark.images += 1
    mark.records += 1


def _check_room(scratch: Path, needed: int) -> None:
    """Raise ``DataError`` now rather than after an hour of decoding."""
    free = shutil.disk_usage(scratch).free
    if needed > free:
        raise DataError(
            f"The decoded images need {needed / 1e9:.2f} GB in {scratch.parent}, which has "
            f"{free / 1e9:.2f} GB free; name another folder with --cache."
        )


def _read_mark(scratch: Path, size: int) -> _Mark:
    """Where a killed run stopped, or the start."""
    try:
        state = json.loads((scratch / "mark.json").read_text())
        mark = _Mark(state["records"], state["images"], read_bad(state))
        pixels = (scratch / "images.bin").stat().st_size
        metadata = (scratch / "metadata.bin").stat().st_size
    except (OSError, ValueError, KeyError):
        return _Mark()
    whole = pixels >= mark.images * size * size * 3 and metadata >= mark.images * METADATA.itemsize
    return mark if whole else _Mark()


def _write_mark(path: Path, mark: _Mark, images: BinaryIO, metadata: BinaryIO) -> None:
    """First the data, then the word that it is there: also a cut of power leaves no lie."""
    for data in (images, metadata):
        data.flush()
        os.fsync(data.fileno())
    temporary = path.with_suffix(".tmp")
    state = {"records": mark.records, "images": mark.images, "bad": mark.bad}
    with temporary.open("wb") as stream:
        stream.write(json.dumps(state).encode())
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(path)


def read_bad(state: Any) -> dict[int, str]:
    """Return index of a record → why it does not decode; JSON's keys are text."""
    return {int(index): str(reason) for index, reason in state["bad"].items()}


def _decode(record: Record, size: int, resize: Resize) -> tuple[Pixels, Any] | ImageError:
    try:
        # Opening a pipe would wait for ever.
        if record.path.exists() and not record.path.is_file():
            return ImageUndecodable("it is not a regular file")
        data = record.path.read_bytes()
        prepared = prepare(data, size, TRUSTED, resize=resize)
    except OSError as exc:
        return ImageUndecodable(f"the file cannot be read ({exc.strerror})")
    except ImageError as exc:
        return exc
    pixels = np.ascontiguousarray(prepared.pixels)
    row = np.zeros((), METADATA)
    row["sha256"] = np.frombuffer(hashlib.sha256(data).digest(), np.uint8)
    row["signature"] = signature(pixels)
    row["width"], row["height"] = prepared.width, prepared.height
    return pixels, row
