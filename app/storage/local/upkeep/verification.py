"""Everything in a data folder, held to its checksums; nothing is changed."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from app.errors import DatabaseDamaged
from app.storage.damage import Damage
from app.storage.local import rows, vector_rows
from app.storage.local.blob_store import blob_path, holds
from app.storage.local.database import Database
from app.storage.local.gallery_store import JOURNAL
from app.storage.local.journal import Journal
from app.storage.local.quarantine import Quarantine
from app.storage.local.stores import DATABASE, IMAGES
from app.storage.records import ImageRecord

_CHUNK = 500

Advance = Callable[[int, int], None]


def verify(data_dir: Path, advance: Advance = lambda _done, _total: None) -> Iterator[Damage]:
    """Yield what is damaged; ``advance`` is told how many images were looked at, and of how many.

    The service may run meanwhile. Raises ``StorageUnavailable``.
    """
    path = data_dir / DATABASE
    if not path.exists() or not path.stat().st_size:
        yield Damage("database", DATABASE, "it is missing or empty")
        return
    try:
        database = Database(path, upgrade=False)
    except DatabaseDamaged as exc:
        yield Damage("database", DATABASE, exc.reason)
        return
    try:
        if problem := database.problem():
            yield Damage("database", DATABASE, problem)
        yield from _journal(data_dir, database)
        yield from _rows(database)
        yield from _images(data_dir, database, advance)
    finally:
        database.close()


def _journal(data_dir: Path, database: Database) -> Iterator[Damage]:
    found = Journal(data_dir / JOURNAL).contents()
    with database.reading() as db:
        number = rows.last_change(db)
    if found.damaged:
        yield Damage("journal", JOURNAL, f"{found.damaged} lines are damaged")
    elif found.last.number > number + 1:
        missing = found.last.number - number
        yield Damage("database", DATABASE, f"it lacks the last {missing:,} changes")
    elif found.last.number < number:
        yield Damage(
            "journal", JOURNAL, f"it lacks the last {number - found.last.number:,} changes"
        )


def _rows(database: Database) -> Iterator[Damage]:
    with database.reading() as db:
        for position in rows.damaged_positions(db):
            yield Damage("record", f"no. {position}", "its row was altered, and is set aside")
    with database.reading() as db:
        for damaged in _damaged(db):
            for position in damaged.records:
                yield Damage("record", f"no. {position}", "its row has been altered")
            for model_id, position in damaged.vectors:
                yield Damage("vector", f"no. {position} of {model_id[:12]}…", "it has been altered")


def check_rows(db: sqlite3.Connection) -> None:
    """Raise ``RowsDamaged`` where a record or a vector fails its checksum."""
    for damaged in _damaged(db):
        raise damaged


def _damaged(db: sqlite3.Connection) -> Iterator[rows.RowsDamaged]:
    for check in (rows.damaged_records_after, vector_rows.damaged_vectors_after):
        after, last = -1, 0
        while last != after:
            after = last
            last, damaged = check(db, after, _CHUNK)
            if damaged:
                yield damaged


def _images(data_dir: Path, database: Database, advance: Advance) -> Iterator[Damage]:
    with database.reading() as db:
        total = rows.count_records(db)
    for done, record in enumerate(intact_records(database), start=1):
        if problem := _problem(data_dir, record.sha256):
            # What was removed or replaced meanwhile is no damage.
            with database.reading() as db:
                needed = bool(rows.used_digests(db, [record.sha256]))
            if needed:
                yield Damage("image", record.id, problem)
        advance(done, total)


def intact_records(database: Database) -> Iterator[ImageRecord]:
    """Yield every record that passes its checksum, in order of position."""
    after = 0
    while True:
        with database.reading() as db:
            records, last = rows.intact_records_after(db, after, _CHUNK)
        yield from records
        if last == after:
            return
        after = last


def _problem(data_dir: Path, digest: str) -> str | None:
    path = blob_path(data_dir / IMAGES, digest)
    if holds(path, digest):
        return None
    if path.exists():
        return "its file has been altered"
    quarantine = Quarantine(data_dir / "quarantine")
    if any(holds(quarantine.path(item), digest) for item in quarantine.copies(digest)):
        return None
    return "its file is missing"
