"""Records as rows of the gallery's tables. Pure functions of a connection.

Whatever reads a row that fails its checksum raises ``RowsDamaged``.
"""

import json
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from app.storage.filters import Filter, Scalar
from app.storage.local.checksums import record_checksum
from app.storage.local.filter_sql import Value, loaded, positions
from app.storage.local.schema import put_facts
from app.storage.records import ImageRecord, Summary

_WRITTEN = (
    "id, sha256, filename, label, metadata, width, height, media_type, bytes, created_at, checksum"
)
_COLUMNS = f"{_WRITTEN}, position"
_UPDATE = ", ".join(f"{name} = excluded.{name}" for name in _WRITTEN.split(", "))
_PUT = (
    f"INSERT INTO images (position, {_WRITTEN}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
    f" ON CONFLICT (id) DO UPDATE SET {_UPDATE} ON CONFLICT (position) DO UPDATE SET {_UPDATE}"
    " RETURNING position"
)
# SQLite's default limit on variables is 32,766; this keeps statements short as well.
_CHUNK = 500


class RowsDamaged(Exception):
    """Rows fail their checksum: records by position, vectors by model and position."""

    def __init__(
        self, records: Sequence[int] = (), vectors: Sequence[tuple[str, int]] = ()
    ) -> None:
        super().__init__(f"{len(records)} records and {len(vectors)} vectors are damaged")
        self.records, self.vectors = records, vectors


def put_record(db: sqlite3.Connection, record: ImageRecord) -> int:
    """Insert or replace a record without its vectors; return its position."""
    db.execute(
        "DELETE FROM vectors WHERE position = (SELECT position FROM images WHERE id = ?)",
        (record.id,),
    )
    return write_record(db, record)


def write_record(db: sqlite3.Connection, record: ImageRecord, position: int | None = None) -> int:
    """Write a record over the one with its id or at ``position``, or as a new one; return its position."""
    columns = (
        record.id,
        record.sha256,
        record.filename,
        record.label,
        dumped(record.metadata),
        record.width,
        record.height,
        record.media_type,
        record.bytes,
        record.created_at,
    )
    row = (position, *columns, record_checksum(columns))
    ((written,),) = db.execute(_PUT, row).fetchall()
    put_facts(db, int(written))
    return int(written)


def delete_records(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Remove records with their vectors; unknown ids are ignored."""
    db.executemany("DELETE FROM images WHERE id = ?", [(image_id,) for image_id in ids])


def records_of(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, ImageRecord]:
    """Return the records of those ids that exist."""
    records: dict[str, ImageRecord] = {}
    for chunk, marks in chunks(ids):
        rows = db.execute(f"SELECT {_COLUMNS} FROM images WHERE id IN ({marks})", chunk)  # noqa: S608
        records.update((record.id, record) for record in _records(rows))
    return records


def records_after(
    db: sqlite3.Connection, after: int, limit: int, where: Filter | None
) -> list[ImageRecord]:
    """Return up to ``limit`` records beyond the position ``after``, in order of position."""
    chosen, values = _positions(where)
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM images WHERE position > ? AND position IN ({chosen})"  # noqa: S608
        " ORDER BY position LIMIT ?",
        (after, *values, limit),
    )
    return _records(rows)


def damaged_records_after(
    db: sqlite3.Connection, after: int, limit: int
) -> tuple[int, RowsDamaged | None]:
    """Hold up to ``limit`` records to their checksums.

    Returns the last position, or ``after`` when there are no more, and those that fail.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM images WHERE position > ? ORDER BY position LIMIT ?",  # noqa: S608
        (after, limit),
    ).fetchall()
    damaged = _damaged(rows)
    return (int(rows[-1][-1]) if rows else after), RowsDamaged(damaged) if damaged else None


def is_damaged(db: sqlite3.Connection, position: int) -> bool:
    """Return whether there is a record at ``position`` that fails its checksum."""
    last, damaged = damaged_records_after(db, position - 1, 1)
    return last == position and damaged is not None


def intact_records_after(
    db: sqlite3.Connection, after: int, limit: int
) -> tuple[list[ImageRecord], int]:
    """Return those of up to ``limit`` records that pass their checksum, and the last position."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM images WHERE position > ? ORDER BY position LIMIT ?",  # noqa: S608
        (after, limit),
    ).fetchall()
    damaged = set(_damaged(rows))
    intact = [record_of(row) for row in rows if row[-1] not in damaged]
    return intact, (rows[-1][-1] if rows else after)


def records_without_vector(
    db: sqlite3.Connection, model_id: str, after: int, limit: int
) -> list[ImageRecord]:
    """Return up to ``limit`` records beyond the position ``after`` without a vector of the model."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM images WHERE position > ? AND NOT EXISTS"  # noqa: S608
        " (SELECT 1 FROM vectors WHERE model_id = ? AND position = images.position)"
        " ORDER BY position LIMIT ?",
        (after, model_id, limit),
    )
    return _records(rows)


def sampled_records(db: sqlite3.Connection, count: int) -> list[ImageRecord]:
    """Return about ``count`` records in random order, the same for the same table.

    Where far more positions are in use than are wanted, some are drawn, and the next record behind
    each is taken: the effort is that of ``count`` look-ups, however long the table is.
    """
    first, last = db.execute("SELECT min(position), max(position) FROM images").fetchone()
    if first is None:
        return []
    draw = random.Random(0)  # noqa: S311
    if last - first < 4 * count:
        known = [row[0] for row in db.execute("SELECT position FROM images ORDER BY position")]
        chosen = draw.sample(known, min(count, len(known)))
    else:
        after = "SELECT position FROM images WHERE position >= ? ORDER BY position LIMIT 1"
        drawn = draw.sample(range(first, last + 1), count)
        chosen = [db.execute(after, (position,)).fetchone()[0] for position in drawn]
    records: dict[int, ImageRecord] = {}
    for start in range(0, len(chosen), _CHUNK):
        chunk = chosen[start : start + _CHUNK]
        marks = ",".join("?" * len(chunk))
        rows = db.execute(f"SELECT {_COLUMNS} FROM images WHERE position IN ({marks})", chunk)  # noqa: S608
        records.update((record.position, record) for record in _records(rows))
    return [records[position] for position in dict.fromkeys(chosen) if position in records]


def ids_where(db: sqlite3.Connection, where: Filter) -> list[str]:
    """Return the ids of the images for which ``where`` holds."""
    chosen, values = _positions(where)
    rows = db.execute(f"SELECT id FROM images WHERE position IN ({chosen})", values)  # noqa: S608
    return [row[0] for row in rows]


def count_records(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT count(*) FROM images").fetchone()[0])


def values_of(db: sqlite3.Connection, key: str, ids: Sequence[str]) -> dict[str, Scalar]:
    """Return the least value of a fact of each of those images that has one."""
    values: dict[str, Scalar] = {}
    for chunk, marks in chunks(ids):
        rows = db.execute(
            # In this order: else every value of the key is looked at, for each chunk.
            "SELECT id, min(value) FROM images CROSS JOIN facts USING (position)"  # noqa: S608
            f" WHERE key = ? AND id IN ({marks}) GROUP BY id",
            (key, *chunk),
        )
        values.update((row[0], loaded(row[1])) for row in rows)
    return values


def used_digests(db: sqlite3.Connection, digests: Sequence[str]) -> set[str]:
    """Return those of ``digests`` that some record has."""
    used: set[str] = set()
    for chunk, marks in chunks(digests):
        rows = db.execute(f"SELECT DISTINCT sha256 FROM images WHERE sha256 IN ({marks})", chunk)  # noqa: S608
        used.update(row[0] for row in rows)
    return used


def summary_of(db: sqlite3.Connection) -> Summary:
    """Return counts over all records."""
    images, size, labels, first, last = db.execute(
        "SELECT count(*), coalesce(sum(bytes), 0), count(DISTINCT label),"
        " min(created_at), max(created_at) FROM images"
    ).fetchone()
    types = dict(db.execute("SELECT media_type, count(*) FROM images GROUP BY 1 ORDER BY 1"))
    models = dict(db.execute("SELECT model_id, count(*) FROM vectors GROUP BY 1 ORDER BY 1"))
    return Summary(images, size, labels, types, models, first, last)


def set_aside(db: sqlite3.Connection, position: int) -> None:
    """Move a damaged row to the table of those that could not be mended."""
    row = db.execute(f"SELECT {_COLUMNS} FROM images WHERE position = ?", (position,)).fetchone()  # noqa: S608
    if row is not None:
        db.execute("INSERT OR REPLACE INTO damaged_records VALUES (?, ?)", (position, repr(row)))
        db.execute("DELETE FROM images WHERE position = ?", (position,))


def damaged_positions(db: sqlite3.Connection) -> list[int]:
    """Return the positions of the records that could not be mended."""
    return [row[0] for row in db.execute("SELECT position FROM damaged_records ORDER BY 1")]


def last_change(db: sqlite3.Connection) -> int:
    """Return the number of the last change of records, as the journal counts them."""
    row = db.execute("SELECT value FROM choices WHERE key = 'change'").fetchone()
    return int(row[0]) if row else 0


def count_change(db: sqlite3.Connection, number: int) -> None:
    """Write down the number of the last change of records."""
    db.execute("INSERT OR REPLACE INTO choices VALUES ('change', ?)", (str(number),))


def dumped(metadata: dict[str, Any]) -> str:
    """Return metadata as its column holds them."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def _positions(where: Filter | None) -> tuple[str, list[Value]]:
    return positions(where) if where else ("position", [])


def chunks(values: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        yield chunk, ",".join("?" * len(chunk))


def _records(rows: Iterable[tuple[Any, ...]]) -> list[ImageRecord]:
    read = list(rows)
    if damaged := _damaged(read):
        raise RowsDamaged(damaged)
    return [record_of(row) for row in read]


def _damaged(rows: Iterable[tuple[Any, ...]]) -> list[int]:
    return [row[-1] for row in rows if record_checksum(row[:-2]) != row[-2]]


def record_of(row: tuple[Any, ...]) -> ImageRecord:
    """Return the record of a row whose last two columns are its checksum and its position."""
    image_id, sha256, filename, label, text, width, height, media_type, size, created = row[:-2]
    return ImageRecord(
        id=image_id,
        sha256=sha256,
        filename=filename,
        label=label,
        metadata=json.loads(text),
        width=width,
        height=height,
        media_type=media_type,
        bytes=size,
        created_at=created,
        position=row[-1],
    )
