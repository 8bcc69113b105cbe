"""Indexes a folder of images that lies on this machine: its subfolder names become labels."""

import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import structlog

from app.errors import Overloaded, SettingsError
from app.gallery import AddResult, Gallery, NewImage
from app.images import SUFFIXES
from app.sources import Source, Sources

log = structlog.get_logger()

_CHUNK = 16
_LOGGED_FAILURES = 20


@dataclass
class Progress:
    """How far an import is; counts files."""

    folder: str
    seen: int = 0
    added: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)


def image_files(root: Path) -> Iterator[Path]:
    """Every file below ``root`` with an image's suffix, in order; hidden ones are left out.

    Raises ``SettingsError`` when ``root`` is no folder that can be read.
    """
    if not root.is_dir():
        raise SettingsError(f"{root} is not a folder.")
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if name.startswith(".") or path.suffix.lower() not in SUFFIXES:
                continue
            # Opening a pipe would wait for ever; a dangling link is yielded, to be reported.
            if path.is_file() or not path.exists():
                yield path


def label_of(path: Path, root: Path) -> str | None:
    """The first folder below ``root`` on the way to ``path``; None for files directly in it."""
    parts = path.relative_to(root).parts
    return _shown(parts[0]) if len(parts) > 1 else None


def import_folder(
    gallery: Gallery,
    known: Sources,
    root: Path,
    progress: Progress,
    *,
    max_bytes: int,
    stop: threading.Event,
) -> None:
    """Add every new image below ``root``; files seen before, and unchanged, are not read again.

    So an image that was removed from the gallery stays removed. A file that is no image is
    logged, counted, and passed over; no more than ``max_bytes`` of it are read.
    """
    files = image_files(root)
    while not stop.is_set() and (chunk := list(islice(files, _CHUNK))):
        progress.seen += len(chunk)
        sources = [(path, _source(path)) for path in chunk]
        new = [(path, source) for path, source in sources if not known.knows(source)]
        if not new:
            continue
        images = [
            NewImage(
                data=_read(path, max_bytes),
                filename=_shown(path.relative_to(root).as_posix()),
                label=label_of(path, root),
            )
            for path, _ in new
        ]
        results = _add(gallery, images, stop)
        for (path, _), result in zip(new, results, strict=False):
            if result.status == "failed":
                progress.failed += 1
                if len(progress.failures) < _LOGGED_FAILURES:
                    progress.failures.append(f"{path}: {result.error}")
                    log.warning("image not indexed", file=str(path), reason=str(result.error))
        progress.added += sum(r.status in ("created", "replaced") for r in results)
        if results:
            # A file that could not be read may be mended without a change of its date.
            read = zip(new, images, strict=True)
            known.remember(source for (_, source), image in read if image.data)


def _add(gallery: Gallery, images: Sequence[NewImage], stop: threading.Event) -> list[AddResult]:
    """Add, giving way to searches while the service is busy."""
    while not stop.is_set():
        try:
            return gallery.add(images)
        except Overloaded as exc:
            stop.wait(exc.retry_after_s)
    return []


def _source(path: Path) -> Source:
    # Escaped, not replaced: two names must not become one.
    name = os.fsencode(path).decode(errors="backslashreplace")
    try:
        status = path.stat()
    except OSError:
        return Source(name, 0, 0)
    return Source(name, status.st_size, status.st_mtime_ns)


def _shown(name: str) -> str:
    """A file's name as valid Unicode, which on Linux it need not be."""
    return os.fsencode(name).decode(errors="replace")


def _read(path: Path, max_bytes: int) -> bytes:
    """A file that cannot be read counts as empty, and so is reported as no image."""
    try:
        with path.open("rb") as stream:
            return stream.read(max_bytes + 1)
    except OSError as exc:
        log.warning("file cannot be read", file=str(path), reason=exc.strerror)
        return b""
