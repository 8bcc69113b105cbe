"""A copy of a data folder, while the service runs; and the way back.

The database is copied first, then the images that it names: what is added meanwhile is in neither. An
image that is removed or replaced meanwhile is in the copy as it is then.
"""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from app.errors import StorageUnavailable
from app.storage.blob_store import digest_of
from app.storage.damage import Damage
from app.storage.local import recovery, rows
from app.storage.local.blob_store import LocalBlobStore, blob_path, holds
from app.storage.local.database import Database
from app.storage.local.disk import translated
from app.storage.local.gallery_store import JOURNAL
from app.storage.local.journal import Journal
from app.storage.local.quarantine import Quarantine
from app.storage.local.stores import DATABASE, IMAGES
from app.storage.local.upkeep.aside import move_aside
from app.storage.local.upkeep.verification import check_rows, intact_records
from app.storage.records import ImageRecord

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
        raise StorageUnavailable(
            "it holds no gallery",
            f"{source} holds no gallery; nothing was copied.",
        )
    copied = target / f"{DATABASE}.part"
    images = LocalBlobStore(target / IMAGES)
    # Of use where a record is damaged; the copy's own journal is made of its database.
    journal = _copy_journal(source, target)
    _copy_database(original, copied)
    damage = _copy_images(source, copied, Journal(journal), images, advance)
    with translated():
        if keep_old:
            move_aside(target)
        for name in (f"{DATABASE}-wal", f"{DATABASE}-shm"):
            (target / name).unlink(missing_ok=True)
        # Without one the next start makes it; one of another database would refuse this.
        (target / JOURNAL).unlink(missing_ok=True)
        journal.unlink(missing_ok=True)
        copied.replace(target / DATABASE)
    database = Database(target / DATABASE)
    try:
        recovery.write_anew(database, Journal(target / JOURNAL))
    finally:
        database.close()
    return damage


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


def _copy_journal(source: Path, target: Path) -> Path:
    """Return where the copy lies; there is none where there is no journal."""
    copied = target / f"{JOURNAL}.part"
    with translated():
        copied.unlink(missing_ok=True)
        if (source / JOURNAL).exists():
            shutil.copyfile(source / JOURNAL, copied)
    return copied


def _copy_images(
    source: Path, copied: Path, journal: Journal, target: LocalBlobStore, advance: Advance
) -> list[Damage]:
    database = Database(copied)
    try:
        _, damage = recovery.read(database, journal, check_rows)
        with database.reading() as db:
            total = rows.count_records(db)
        for done, record in enumerate(intact_records(database), start=1):
            wanted: ImageRecord | None = record
            while wanted and (problem := _copy_image(source, wanted, target)):
                now = _record_now(source, wanted.id)
                if now and now.sha256 == wanted.sha256:
                    damage.append(Damage("image", record.id, problem))
                    break
                wanted = now
            if wanted is not record:
                _write_changed(database, record, wanted)
            advance(done, total)
    finally:
        database.close()
    return damage


def _copy_image(source: Path, record: ImageRecord, target: LocalBlobStore) -> str | None:
    """Return what is wrong with an image that cannot be copied."""
    path = _find(source, record)
    if path is None:
        return "its file is missing"
    data = _intact(path, record.sha256)
    if data is None:
        return "its file has been altered"
    target.put(record.sha256, data)
    return None


def _record_now(source: Path, image_id: str) -> ImageRecord | None:
    """What became of an image since the database was copied."""
    try:
        with closing(sqlite3.connect(source / DATABASE)) as db:
            db.execute("PRAGMA query_only=ON")
            return rows.records_of(db, [image_id]).get(image_id)
    except (sqlite3.Error, rows.RowsDamaged) as exc:
        raise StorageUnavailable(f"the record of {image_id!r} cannot be read: {exc}") from exc


def _write_changed(copied: Database, old: ImageRecord, new: ImageRecord | None) -> None:
    with copied.transaction() as db:
        if new is None:
            rows.delete_records(db, [old.id])
        else:
            rows.put_record(db, new)


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
