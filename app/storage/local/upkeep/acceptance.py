"""The answer to a start that was refused: go on with what there is."""

from contextlib import suppress
from pathlib import Path

from app.errors import DatabaseDamaged
from app.storage.local import recovery, rows
from app.storage.local.blob_store import LocalBlobStore
from app.storage.local.database import Database
from app.storage.local.disk import translated
from app.storage.local.gallery_store import JOURNAL
from app.storage.local.journal import Journal
from app.storage.local.stores import DATABASE, IMAGES
from app.storage.local.upkeep.aside import move_aside


def accept(data_dir: Path) -> tuple[int, int]:
    """Take the database of a folder that this process owns as it is, or an empty one where it is broken.

    Files without a record go to the quarantine; records that could not be mended are forgotten, and
    a broken database is kept beside the new one. Returns how many images and how many such files
    there are. Raises ``StorageFull`` or ``StorageUnavailable``.
    """
    path = data_dir / DATABASE
    with suppress(FileNotFoundError):
        if not path.stat().st_size:
            path.unlink()
    try:
        database = Database(path)
    except DatabaseDamaged:
        with translated():
            move_aside(data_dir)
        database = Database(path)
    try:
        with database.transaction() as db:
            db.execute("DELETE FROM damaged_records")
        recovery.write_anew(database, Journal(data_dir / JOURNAL))
        blobs = LocalBlobStore(data_dir / IMAGES)
        digests = list(blobs.digests())
        with database.reading() as db:
            images, used = rows.count_records(db), rows.used_digests(db, digests)
        unused = set(digests) - used
        for digest in unused:
            blobs.quarantine(digest)
        return images, len(unused)
    finally:
        database.close()
