"""How the database and the journal beside it make good what one of them lost."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from typing import TypeVar

import structlog

from app.errors import DatabaseOutdated, GalleryError
from app.storage.damage import Damage
from app.storage.local import rows, vector_rows
from app.storage.local.database import Database
from app.storage.local.journal import Entry, Journal
from app.storage.local.schema import collect_facts
from app.storage.records import ImageRecord

log = structlog.get_logger()

T = TypeVar("T")

_CHUNK = 500
# The journal is written anew when it has this many times the records that there are, and a few more.
_GROWTH, _SLACK = 3, 10_000


def reconcile(database: Database, journal: Journal) -> list[Damage]:
    """Bring database and journal to the same last change, and return what was found damaged.

    The journal is written first, so one change may have got no further: it is carried out, since
    nobody knows whether it was acknowledged. Raises ``DatabaseOutdated`` where more are missing.
    """
    last = journal.contents().last
    with database.reading() as db:
        ahead = last.number - rows.last_change(db)
    if ahead > 1:
        raise DatabaseOutdated(
            str(database.path), f"is older than its files: it lacks the last {ahead:,} changes"
        )
    if ahead == 1:
        with database.transaction() as db:
            _carry_out(db, last)
    return check_journal(database, journal)


def check_journal(database: Database, journal: Journal) -> list[Damage]:
    """Write the journal anew where it is damaged, lacks something or is far too long; return its damage.

    Nothing may be written meanwhile.
    """
    found = journal.contents()
    with database.reading() as db:
        number, images = rows.last_change(db), rows.count_records(db)
    behind = found.last.number < number or (images > 0 and not found.records)
    damage: list[Damage] = []
    # A gallery of an older version has no journal yet.
    if found.damaged or (behind and number):
        problem = f"{found.damaged} lines are damaged" if found.damaged else "changes are missing"
        damage.append(Damage("journal", journal.path.name, problem, mended=True))
    if found.damaged or behind or found.records > _GROWTH * images + _SLACK:
        damage += write_anew(database, journal)
    return damage


def write_anew(database: Database, journal: Journal) -> list[Damage]:
    """Replace the journal by what the database holds; nothing may be written meanwhile."""

    def rewrite(db: sqlite3.Connection) -> None:
        journal.rewrite(rows.last_change(db), _chunks(db))

    return read(database, journal, rewrite)[1]


def read(
    database: Database,
    journal: Journal,
    work: Callable[[sqlite3.Connection], T],
    *,
    much: str | None = None,
) -> tuple[T, list[Damage]]:
    """Return what ``work`` reads; damaged rows that it meets are dealt with, and it begins again.

    ``much`` names the parameter for which it may look at every image (``Database.reading_much``).
    """
    damage: list[Damage] = []
    while True:
        try:
            with database.reading_much(much) if much else database.reading() as db:
                return work(db), damage
        except rows.RowsDamaged as exc:
            new = mend_records(database, journal, exc.records) if exc.records else []
            new += drop_vectors(database, exc.vectors) if exc.vectors else []
        for each in new:
            log.error("stored data is damaged", **asdict(each))
        damage += new


def mend_records(database: Database, journal: Journal, positions: Sequence[int]) -> list[Damage]:
    """Write damaged records anew from the journal; those that it does not know are set aside."""
    wanted = set(positions)
    known: dict[int, ImageRecord] = {}
    for entry in journal.entries():
        known.update((r.position, r) for r in (entry.put if entry else ()) if r.position in wanted)
    damage = []
    with database.transaction() as db:
        # The index has what the row had before: without this, the row could not be changed.
        db.execute("REINDEX images")
        for position in positions:
            # Another read may have dealt with it, and a change have followed.
            if not rows.is_damaged(db, position):
                continue
            record = known.get(position)
            mended = record is not None and rows.write_record(db, record, position) == position
            if not mended:
                rows.set_aside(db, position)
            item = record.id if record else f"no. {position}"
            damage.append(Damage("record", item, "its row has been altered", mended))
    return damage


def drop_vectors(database: Database, vectors: Sequence[tuple[str, int]]) -> list[Damage]:
    """Remove damaged vectors: they can be made again from their images."""
    with database.transaction() as db:
        db.execute("REINDEX vectors")
        vector_rows.drop_vectors(db, vectors)
    return [
        Damage("vector", f"no. {position} of {model_id[:12]}…", "it has been altered", mended=True)
        for model_id, position in vectors
    ]


def mend_indexes(database: Database) -> bool:
    """Make anew what only repeats the records: indexes, and what filters ask for.

    Returns whether the database is whole then.
    """
    try:
        with database.transaction() as db:
            db.execute("REINDEX")
            collect_facts(db)
    except GalleryError:
        return False
    return database.problem() is None


def _carry_out(db: sqlite3.Connection, entry: Entry) -> None:
    for record in entry.put:
        rows.delete_records(db, [record.id])
        rows.write_record(db, record, record.position)
    rows.delete_records(db, entry.removed)
    rows.count_change(db, entry.number)
    log.warning("the last change was completed", put=len(entry.put), removed=len(entry.removed))


def _chunks(db: sqlite3.Connection) -> Iterator[Sequence[ImageRecord]]:
    after = 0
    while records := rows.records_after(db, after, _CHUNK, None):
        yield records
        after = records[-1].position
