"""Indexes a folder of images that lies on this machine: its subfolder names become labels."""

import os
from itertools import islice
from pathlib import Path

from app.errors import ImageUndecodable
from app.gallery.gallery import Gallery, NewImage, OnConflict
from app.images.folder import image_files, label_of, shown
from app.jobs.imports.add import CHUNK, Candidate, Watcher, add_all, count_added
from app.storage.local.indexed_files import Source, Sources


def import_folder(
    gallery: Gallery,
    known: Sources,
    root: Path,
    watcher: Watcher,
    *,
    max_bytes: int,
    on_conflict: OnConflict = "skip",
) -> None:
    """Add every new image below ``root``; files seen before, and unchanged, are not read again.

    So an image that was removed from the gallery stays removed. A file that is no image is told to
    ``watcher`` and passed over; no more than ``max_bytes`` of it are read. Raises ``SettingsError``
    when ``root`` is no folder, ``Stopped`` when the watcher wants no more.
    """
    files = image_files(root)
    while chunk := list(islice(files, CHUNK)):
        new = [(path, source) for path in chunk if not known.knows(source := _source(path))]
        candidates = [Candidate(str(path), _read(path, root, max_bytes)) for path, _ in new]
        results, failures = add_all(gallery, candidates, watcher, on_conflict)
        # A file that could not be read may be mended without a change of its date.
        read = zip(new, candidates, strict=True)
        known.remember(source for (_, source), c in read if isinstance(c.image, NewImage))
        watcher.advance(len(chunk), count_added(results), failures)


def _source(path: Path) -> Source:
    # Escaped, not replaced: two names must not become one.
    name = os.fsencode(path).decode(errors="backslashreplace")
    try:
        status = path.stat()
    except OSError:
        return Source(name, 0, 0)
    return Source(name, status.st_size, status.st_mtime_ns)


def _read(path: Path, root: Path, max_bytes: int) -> NewImage | ImageUndecodable:
    try:
        with path.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except OSError as exc:
        return ImageUndecodable(f"the file cannot be read ({exc.strerror})")
    name = shown(path.relative_to(root).as_posix())
    return NewImage(data=data, filename=name, label=label_of(path, root))
