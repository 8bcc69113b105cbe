"""What can still be read of a database that is not to be trusted."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

from app.storage.local import rows
from app.storage.records import ImageRecord

_CHUNK = 100
# Of no use to another database.
_OWN = ("change", "inspected")


def salvaged_records(path: Path) -> Iterator[ImageRecord]:
    """Yield the records that can be read, up to the first place where SQLite gives up."""
    if not path.is_file():
        return
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        db.text_factory = lambda data: data.decode(errors="surrogateescape")
        columns = {row[1] for row in db.execute("PRAGMA table_info(images)")}
        after, last = -1, 0
        while columns and last != after:
            after = last
            if "checksum" in columns:
                records, last = rows.intact_records_after(db, after, _CHUNK)
            else:
                records, last = _unchecked_records_after(db, after)
            yield from records


def salvaged_choices(path: Path) -> list[tuple[str, str]]:
    """Return what was decided while the service ran, such as which model answers."""
    if not path.is_file():
        return []
    with suppress(sqlite3.Error), closing(sqlite3.connect(path)) as db:
        chosen = db.execute("SELECT key, value FROM choices").fetchall()
        return [(key, value) for key, value in chosen if key not in _OWN]
    return []


def _unchecked_records_after(db: sqlite3.Connection, after: int) -> tuple[list[ImageRecord], int]:
    """As ``intact_records_after``, of a version whose records had no checksum."""
    found = db.execute(
        "SELECT id, sha256, filename, label, metadata, width, height, media_type, bytes, created_at,"
        " 0, position FROM images WHERE position > ? ORDER BY position LIMIT ?",
        (after, _CHUNK),
    ).fetchall()
    records = []
    for row in found:
        with suppress(ValueError):
            records.append(rows.record_of(row))
    return records, (found[-1][-1] if found else after)
