"""Adds the images of a zip archive; its folders' names become labels."""

import struct
import zipfile
from collections.abc import Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from app.errors import ArchiveInvalid, GemelloError, ImageUndecodable
from app.gallery.gallery import Gallery
from app.gallery.metadata import MAX_FILENAME, MAX_LABEL, clean_name
from app.gallery.new_image import NewImage, OnConflict
from app.jobs.imports.add import CHUNK, Candidate, add_all, count_added
from app.jobs.runner import Progress
from gemello.image_folder import SUFFIXES

# Larger ones would need the extended format; every entry costs memory before the first is read.
MAX_ENTRIES = 65_534
_END = struct.Struct("<4s4H2LH")
_END_MAGIC = b"PK\x05\x06"
_COMMENT = 65_535


def check_archive(path: Path) -> None:
    """Refuse what is not a zip archive, or has too many entries, before any of it is read.

    Raises ``ArchiveInvalid``.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        stream.seek(max(0, size - _END.size - _COMMENT))
        tail = stream.read()
    end = tail.rfind(_END_MAGIC)
    if end < 0 or len(tail) - end < _END.size:
        raise ArchiveInvalid("it is not a zip archive")
    entries = _END.unpack_from(tail, end)[4]
    if entries > MAX_ENTRIES:
        raise ArchiveInvalid(f"it has more than {MAX_ENTRIES:,} entries; send it in parts")
    _entries(path)


def import_archive(
    gallery: Gallery,
    path: Path,
    progress: Progress,
    *,
    max_bytes: int,
    on_conflict: OnConflict = "skip",
) -> None:
    """Add every image of the archive, from where ``progress`` stands.

    An entry that is not an image is told and passed over; no more than ``max_bytes`` of one are
    unpacked. Raises ``ArchiveInvalid``, or ``Stopped`` when ``progress`` ends it.
    """
    entries = _entries(path)
    progress.total = len(entries)
    with zipfile.ZipFile(path) as archive:
        rest = iter(entries[progress.done :])
        while chunk := list(islice(rest, CHUNK)):
            candidates = [Candidate(e.filename, _read(archive, e, max_bytes)) for e in chunk]
            results, failures = add_all(gallery, candidates, progress, on_conflict)
            progress.advance(len(chunk), count_added(results), failures)


def _entries(path: Path) -> Sequence[zipfile.ZipInfo]:
    """The files with an image's suffix, by name; hidden ones are left out."""
    try:
        with zipfile.ZipFile(path) as archive:
            images = [entry for entry in archive.infolist() if _is_image(entry)]
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as exc:
        raise ArchiveInvalid("its table of contents is broken") from exc
    return sorted(images, key=lambda entry: entry.filename)


def _is_image(entry: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(entry.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
    return not entry.is_dir() and not hidden and name.suffix.lower() in SUFFIXES


def _read(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: int
) -> NewImage | GemelloError:
    """Unpack no more than one byte beyond the limit: enough to be refused by size."""
    try:
        with archive.open(entry) as stream:
            data = stream.read(max_bytes + 1)
    # The standard library raises all of these on broken, locked or unknown entries.
    except Exception as exc:
        return ImageUndecodable(f"the archive's entry cannot be unpacked ({exc})")
    parts = PurePosixPath(entry.filename).parts
    label = clean_name(parts[0], MAX_LABEL) if len(parts) > 1 else None
    return NewImage(data=data, filename=clean_name("/".join(parts), MAX_FILENAME), label=label)
