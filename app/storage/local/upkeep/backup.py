"""A copy of a data folder, while the service runs; and the way back.

The database is copied first, then the images that it names: what is added meanwhile is in neither.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from app.errors import StorageUnavailable
from app.storage.blob_store import digest_of
from app.storage.damage import Damage
from app.storage.local import rows
from app.storage.local.blob_store import LocalBlobStore, blob_path, holds
from app.storage.local.database import Database
from app.storage.local.disk import translated
from app.storage.local.gallery_store import JOURNAL, LocalGalleryStore
from app.storage.local.quarantine import Quarantine
from app.storage.local.stores import DATABASE, IMAGES
from app.storage.local.upkeep.aside import move_aside
from app.storage.local.upkeep.verification import intact_records
from app.storage.records import ImageRecord

# An image that was removed while the others were copied is no longer in a newer copy of the database.
_ROUNDS = 3

Advance = Callable[[int, int], None]


def copy_gallery(
    source: Path,
    target: Path,
    *,
    keep_old: bool = False,
    advance: Advance = lambda _done, _total: None,
) -> list[Damage]:
    """Make ``target``, which this process owns, hold what ``source`` holds; return what is damaged.

    What it had before counts until all is copied; images that are there already are not copied again,
    and none are removed. With ``keep_old`` its database is kept beside the new one. Raises
    ``StorageFull`` or ``StorageUnavailable``.
    """
    original = source / DATABASE
    if not original.exists() or not original.stat().st_size:
        raise StorageUnavailable(f"{source} holds no gallery")
    copied = target / f"{DATABASE}.part"
    images = LocalBlobStore(target / IMAGES)
    for _ in range(_ROUNDS):
        _copy_database(original, copied)
        damage, gone = _copy_images(source, copied, images, advance)
        if not gone:
            break
    with translated():
        if keep_old:
            move_aside(target)
        for name in (f"{DATABASE}-wal", f"{DATABASE}-shm", JOURNAL):
            (target / name).unlink(missing_ok=True)
        copied.replace(target / DATABASE)
    database = Database(target / DATABASE)
    try:
        # That writes the journal.
        LocalGalleryStore(database)
    finally:
        database.close()
    return damage + gone


def _copy_database(source: Path, target: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{target}{suffix}").unlink(missing_ok=True)
    # Whatever the version, it is read by SQLite's own means.
    original, copy = sqlite3.connect(source), sqlite3.connect(target)
    try:
        original.execute("PRAGMA query_only=ON")
        original.backup(copy)
    except sqlite3.Error as exc:
        raise StorageUnavailable(f"the database cannot be copied: {exc}") from exc
    finally:
        original.close()
        copy.close()


def _copy_images(
    source: Path, copied: Path, target: LocalBlobStore, advance: Advance
) -> tuple[list[Damage], list[Damage]]:
    """Return what is damaged, and what is not there at all."""
    damage: list[Damage] = []
    gone: list[Damage] = []
    database = Database(copied)
    try:
        with database.reading() as db:
            total = rows.count_records(db)
        for done, record in enumerate(intact_records(database), start=1):
            path = _find(source, record)
            if path is None:
                gone.append(Damage("image", record.id, "its file is missing"))
            elif data := _intact(path, record.sha256):
                target.put(record.sha256, data)
            else:
                damage.append(Damage("image", record.id, "its file has been altered"))
            advance(done, total)
    finally:
        database.close()
    return damage, gone


def _intact(path: Path, digest: str) -> bytes | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data if digest_of(data) == digest else None


def _find(source: Path, record: ImageRecord) -> Path | None:
    path = blob_path(source / IMAGES, record.sha256)
    if path.exists():
        return path
    quarantine = Quarantine(source / "quarantine")
    copies = [quarantine.path(item) for item in quarantine.copies(record.sha256)]
    return next((copy for copy in copies if holds(copy, record.sha256)), None)
