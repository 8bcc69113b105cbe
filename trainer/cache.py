"""Decoded images on disk, memory-mapped: memory holds what a batch needs, whatever the data's size."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import numpy as np

from app.errors import ImageError, ImageUndecodable
from app.images import ImageLimits, Pixels, prepare
from trainer.data import Record
from trainer.errors import DataError

_CHUNK = 64
# One's own training images may be larger than what a service takes from strangers.
TRUSTED = ImageLimits(max_bytes=200_000_000, max_pixels=200_000_000)


@dataclass(frozen=True, slots=True)
class ImageCache:
    """``images`` is uint8 [N, size, size, 3] on disk; ``records`` has the N images that decode.

    ``bad`` names each file left out, and why; ``content`` is a SHA-256 over all that decode.
    """

    images: Pixels
    records: list[Record]
    bad: dict[str, str]
    content: str


def open_cache(
    records: Sequence[Record], size: int, folder: Path, advance: Callable[[int], None]
) -> ImageCache:
    """Decode every image to ``size`` × ``size`` once; a second call finds the result.

    ``advance`` is told how many images are done. The result is renamed into place when complete.
    Raises ``DataError`` when ``folder`` cannot be written to or is too small.
    """
    target = folder / f"{fingerprint(records)}-{size}"
    if not (target / "done.json").is_file():
        try:
            _build(records, size, target, advance)
        except OSError as exc:
            raise DataError(
                f"Decoded images cannot be written to {folder} ({exc.strerror}); "
                "name another folder with --cache."
            ) from exc
    else:
        advance(len(records))
    state = json.loads((target / "done.json").read_text())
    images = np.load(target / "images.npy", mmap_mode="r")
    kept = [record for record in records if str(record.path) not in state["bad"]]
    return ImageCache(images[: len(kept)], kept, state["bad"], state["content"])


def fingerprint(records: Sequence[Record]) -> str:
    """SHA-256 over paths, labels, sizes and times of change: cheap, and new whenever a file is.

    The time is that of the inode, which a change of permissions moves as well: a file that could
    not be read is then tried again.
    """
    digest = hashlib.sha256()
    for record in records:
        try:
            status = record.path.stat()
            facts = f"{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"
        except OSError:
            facts = "missing"
        name = f"{record.path}|{record.label}|{facts}\n"
        digest.update(name.encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _build(
    records: Sequence[Record], size: int, target: Path, advance: Callable[[int], None]
) -> None:
    scratch = target.with_name(f".{target.name}-{uuid4().hex}")
    scratch.mkdir(parents=True)
    try:
        _fill(records, size, scratch, advance)
        try:
            scratch.rename(target)
        except OSError:
            # Another run was faster, and its result is the same.
            if not (target / "done.json").is_file():
                raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _fill(
    records: Sequence[Record], size: int, scratch: Path, advance: Callable[[int], None]
) -> None:
    needed, free = len(records) * size * size * 3, shutil.disk_usage(scratch).free
    # Writing to a memory map on a full disk would kill the process without a word.
    if needed > free:
        raise DataError(
            f"The decoded images need {needed / 1e9:.2f} GB in {scratch.parent}, which has "
            f"{free / 1e9:.2f} GB free; name another folder with --cache."
        )
    images = np.lib.format.open_memmap(
        scratch / "images.npy", "w+", np.uint8, (max(len(records), 1), size, size, 3)
    )
    bad: dict[str, str] = {}
    count, content = 0, hashlib.sha256()
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(records), _CHUNK):
            chunk = records[start : start + _CHUNK]
            for record, result in zip(
                chunk, pool.map(lambda r: _decode(r, size), chunk), strict=True
            ):
                if isinstance(result, ImageError):
                    bad[str(record.path)] = str(result)
                else:
                    images[count], digest = result
                    content.update(f"{record.label}|{digest}\n".encode())
                    count += 1
            advance(len(chunk))
    images.flush()
    (scratch / "done.json").write_text(json.dumps({"bad": bad, "content": content.hexdigest()}))


def _decode(record: Record, size: int) -> tuple[Pixels, str] | ImageError:
    try:
        data = record.path.read_bytes()
        return prepare(data, size, TRUSTED).pixels, hashlib.sha256(data).hexdigest()
    except OSError as exc:
        return ImageUndecodable(f"the file cannot be read ({exc.strerror})")
    except ImageError as exc:
        return exc
