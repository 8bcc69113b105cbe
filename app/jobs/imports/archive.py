"""Adds the images of a zip archive; its folders' names become labels."""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath

from app.errors import ArchiveInvalid, GemelloError, ImageUndecodable
from app.gallery.gallery import Gallery
from app.gallery.metadata import MAX_FILENAME, MAX_LABEL, clean_name
from app.gallery.new_image import NewImage, OnConflict, batched
from app.jobs.imports.add import Candidate, add_all, count_added
from app.jobs.runner import Progress
from gemello.archive_entries import METHODS, EntryError, is_locked, open_archive
from gemello.image_folder import SUFFIXES

MAX_ENTRIES = 65_534
# What all images unpack to: so many times the archive's size, but this much always.
MAX_RATIO, MIN_UNPACKED = 100, 100_000_000
# Of an entry's name what is kept where it fails: a name may have 65,535 characters.
_MAX_NAME = 500
_MOST_READ, _PIECE = 16_000_000, 1 << 20


def check_archive(path: Path, max_bytes: int) -> None:
    """Refuse what is not a zip archive, has no image or too many entries, or unpacks to too much.

    No more than ``max_bytes`` of an entry count, as no more are unpacked. Raises ``ArchiveInvalid``.
    """
    with _opened(path) as archive:
        images = _images(archive)
        unpacked = sum(min(entry.file_size, max_bytes) for entry in images)
    if not images:
        raise ArchiveInvalid(f"none of its files is called {', '.join(sorted(SUFFIXES))}")
    if unpacked > max(MIN_UNPACKED, MAX_RATIO * path.stat().st_size):
        raise ArchiveInvalid(
            f"its images unpack to {unpacked:,} bytes, more than {MAX_RATIO} times its size"
        )


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
    with _opened(path) as archive:
        entries = _images(archive)
        progress.total = len(entries)
        candidates = (
            Candidate(_shown(entry), _read(archive, entry, max_bytes))
            for entry in entries[progress.done :]
        )
        for batch in batched(candidates, Candidate.size):
            results, failures = add_all(gallery, batch, progress, on_conflict)
            progress.advance(len(batch), count_added(results), failures)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with ExitStack() as opened:
        try:
            archive = opened.enter_context(open_archive(path, MAX_ENTRIES, _MOST_READ))
        except EntryError as exc:
            raise ArchiveInvalid(str(exc)) from exc
        yield archive


def _shown(entry: zipfile.ZipInfo) -> str:
    """What an entry is called in errors: somebody else chose its name, and people read them."""
    return clean_name(entry.filename[-_MAX_NAME:], _MAX_NAME) or "image"


def _images(archive: zipfile.ZipFile) -> Sequence[zipfile.ZipInfo]:
    """The files with an image's suffix, by name; hidden ones are left out."""
    images = [entry for entry in archive.infolist() if _is_image(entry)]
    return sorted(images, key=lambda entry: entry.filename)


def _is_image(entry: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(entry.filename)
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.parts)
    return not entry.is_dir() and not hidden and name.suffix.lower() in SUFFIXES


def _read(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, max_bytes: int
) -> NewImage | GemelloError:
    """Unpack no more than one byte beyond the limit: enough to be refused by size."""
    if entry.compress_type not in METHODS:
        return ImageUndecodable("the archive's entry is packed by another method than deflate")
    if is_locked(entry):
        return ImageUndecodable("the archive's entry is locked with a password")
    try:
        data = bytearray()
        with archive.open(entry) as stream:
            while piece := stream.read(min(_PIECE, max_bytes + 1 - len(data))):
                data += piece
    # The standard library raises all kinds of errors on broken or unknown entries.
    except Exception:
        return ImageUndecodable("the archive's entry is damaged and cannot be unpacked")
    parts = PurePosixPath(entry.filename).parts
    label = clean_name(parts[0], MAX_LABEL) if len(parts) > 1 else None
    return NewImage(
        data=bytes(data), filename=clean_name("/".join(parts), MAX_FILENAME), label=label
    )
