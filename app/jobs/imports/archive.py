"""Adds the images of a zip archive; its folders' names become labels."""

import io
import struct
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from app.errors import ArchiveInvalid, GemelloError, ImageUndecodable
from app.gallery.gallery import Gallery
from app.gallery.metadata import MAX_FILENAME, MAX_LABEL, clean_name
from app.gallery.new_image import NewImage, OnConflict, batched
from app.jobs.imports.add import Candidate, add_all, count_added
from app.jobs.runner import Progress
from gemello.image_folder import SUFFIXES

# Every entry costs memory before the first is read.
MAX_ENTRIES = 65_534
# What all images unpack to: so many times the archive's size, but this much always.
MAX_RATIO, MIN_UNPACKED = 100, 100_000_000
# Of an entry's name what is kept where it fails: a name may have 65,535 characters.
_MAX_NAME = 500
_ENTRY = b"PK\x01\x02"
_MOST_READ, _PIECE = 16_000_000, 1 << 20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_archive(path: Path, max_bytes: int) -> None:
    """Refuse what is not a zip archive, has too many entries, or unpacks to too much.

    No more than ``max_bytes`` of an entry count, as no more are unpacked. Raises ``ArchiveInvalid``.
    """
    with _opened(path) as archive:
        unpacked = sum(min(entry.file_size, max_bytes) for entry in _images(archive))
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
            Candidate(entry.filename[-_MAX_NAME:], _read(archive, entry, max_bytes))
            for entry in entries[progress.done :]
        )
        for batch in batched(candidates, Candidate.size):
            results, failures = add_all(gallery, batch, progress, on_conflict)
            progress.advance(len(batch), count_added(results), failures)


class _Bounded(io.FileIO):
    """A file of which an archive's table of contents is read within limits.

    The table says how long it is and how many entries it has, and may lie: what counts is what is read.
    """

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(min(size, _MOST_READ + 1) if size and size >= 0 else _MOST_READ + 1)
        if len(data) > _MOST_READ or data.count(_ENTRY) > MAX_ENTRIES:
            raise ArchiveInvalid(
                f"it has more than {MAX_ENTRIES:,} entries, or their names are too long; send it in parts"
            )
        return data


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with _Bounded(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as exc:
            raise ArchiveInvalid(
                "it is not a zip archive, or its table of contents is broken"
            ) from exc
        with archive:
            yield archive


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
    if entry.compress_type not in _METHODS:
        # Of other methods the standard library unpacks a block at a time, however large it becomes.
        return ImageUndecodable("the archive's entry is packed by another method than deflate")
    try:
        data = bytearray()
        with archive.open(entry) as stream:
            while piece := stream.read(min(_PIECE, max_bytes + 1 - len(data))):
                data += piece
    # The standard library raises all kinds of errors on broken, locked or unknown entries.
    except Exception as exc:
        return ImageUndecodable(f"the archive's entry cannot be unpacked ({exc})")
    parts = PurePosixPath(entry.filename).parts
    label = clean_name(parts[0], MAX_LABEL) if len(parts) > 1 else None
    return NewImage(
        data=bytes(data), filename=clean_name("/".join(parts), MAX_FILENAME), label=label
    )
