"""The embedded stores of a data folder, which belongs to one process."""

import fcntl
import os
from pathlib import Path

from app.errors import DatabaseMissing, SettingsError
from app.storage.local.blob_store import LocalBlobStore
from app.storage.local.database import Database
from app.storage.local.gallery_store import LocalGalleryStore
from app.storage.local.thumbnail_store import LocalThumbnailStore
from app.storage.stores import Stores

DATABASE, IMAGES, _THUMBNAILS = "gallery.sqlite3", "blobs", "thumbnails"


def own(data_dir: Path) -> int:
    """Take the data folder for this process: return the descriptor that holds it until it is closed.

    One that is made is its owner's alone; one that is there keeps the permissions that it was given. Raises ``SettingsError``.
    """
    try:
        data_dir.mkdir(0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as exc:
        raise SettingsError(f"GEMELLO_DATA_DIR={data_dir} cannot be used: {exc.strerror}.") from exc
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(descriptor)
        raise SettingsError(
            f"GEMELLO_DATA_DIR={data_dir} is in use by another Gemello; stop it or name another."
        ) from exc
    return descriptor


def open_database(data_dir: Path) -> Database:
    """Open the database, or make one where there are no images yet.

    Raises ``DatabaseMissing`` rather than begin an empty gallery beside images of an older one, or
    ``StorageUnavailable``.
    """
    path, images = data_dir / DATABASE, data_dir / IMAGES
    written = path.exists() and path.stat().st_size > 0
    if not written and next(LocalBlobStore(images).digests(), None) is not None:
        raise DatabaseMissing(str(path), f"is missing or empty, but {images} holds stored images")
    return Database(path)


def open_stores(data_dir: Path, database: Database) -> Stores:
    """Open the stores for records and vectors, for bytes and thumbnails. Raises ``StorageUnavailable``."""
    return Stores(
        LocalGalleryStore(database),
        LocalBlobStore(data_dir / IMAGES),
        LocalThumbnailStore(data_dir / _THUMBNAILS),
    )
