"""Indexes a folder of images that lies on this machine: its subfolder names become labels."""

import os
from dataclasses import dataclass
from pathlib import Path

from app.errors import ImageUndecodable, SettingsError
from app.gallery.gallery import Gallery
from app.gallery.new_image import NewImage, OnConflict, batched
from app.jobs.imports.add import Candidate, ImportProgress, add_all, count_added
from app.storage.local.indexed_files import IndexedFile, IndexedFiles
from gemello.image_folder import image_files, label_of, shown


def import_folder(
    gallery: Gallery,
    known: IndexedFiles,
    root: Path,
    progress: ImportProgress,
    *,
    max_bytes: int,
    on_conflict: OnConflict = "skip",
) -> None:
    """Add every new image below ``root``; files seen before, and unchanged, are not read again.

    So an image that was removed from the gallery stays removed. A file that is not an image is told to
    ``progress`` and passed over; no more than ``max_bytes`` of it are read. Raises ``SettingsError``
    when ``root`` is not a folder, ``Stopped`` when ``progress`` ends it.
    """
    if not root.is_dir():
        raise SettingsError(f"{root} is not a folder.")
    files = (_look_at(path, root, known, max_bytes) for path in image_files(root))
    for batch in batched(files, lambda file: file.candidate.size() if file.candidate else 0):
        new = [(each.file, each.candidate) for each in batch if each.candidate]
        results, failures = add_all(gallery, [c for _, c in new], progress, on_conflict)
        # A file that could not be read may be mended without a change of its date.
        known.remember(file for file, c in new if isinstance(c.image, NewImage))
        progress.advance(len(batch), count_added(results), failures)


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the folder, and what to add of it where it is new."""

    file: IndexedFile
    candidate: Candidate | None


def _look_at(path: Path, root: Path, known: IndexedFiles, max_bytes: int) -> _File:
    file = _indexed(path)
    new = not known.knows(file)
    return _File(file, Candidate(str(path), _read(path, root, max_bytes)) if new else None)


def _indexed(path: Path) -> IndexedFile:
    # Escaped, not replaced: two names must not become one.
    name = os.fsencode(path).decode(errors="backslashreplace")
    try:
        status = path.stat()
    except OSError:
        return IndexedFile(name, 0, 0)
    return IndexedFile(name, status.st_size, status.st_mtime_ns)


def _read(path: Path, root: Path, max_bytes: int) -> NewImage | ImageUndecodable:
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as exc:
        return ImageUndecodable(f"the file cannot be read ({exc.strerror})")
    name = shown(path.relative_to(root).as_posix())
    return NewImage(data=data, filename=name, label=label_of(path, root))
