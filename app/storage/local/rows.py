"""Records and vectors as rows of the gallery's tables. Pure functions of a connection."""

import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from app.bundle.encoder import Vectors
from app.errors import StorageUnavailable
from app.storage.filters import Filter, Scalar
from app.storage.local.filter_sql import Value, loaded, positions
from app.storage.local.schema import put_facts
from app.storage.records import ImageRecord, Summary

_COLUMNS = (
    "id, sha256, filename, label, metadata, width, height, media_type, bytes, created_at, position"
)
# SQLite's default limit on variables is 32,766; this keeps statements short as well.
_CHUNK = 500


def put_record(db: sqlite3.Connection, record: ImageRecord) -> int:
    """Insert or replace a record without its vectors; return its position."""
    db.execute(
        "DELETE FROM vectors WHERE position = (SELECT position FROM images WHERE id = ?)",
        (record.id,),
    )
    (position,) = db.execute(
        "INSERT INTO images (id, sha256, filename, label, metadata, width, height,"
        " media_type, bytes, created_at) VALUES (?,?,?,?,?,?,?,?,?,?)"
        " ON CONFLICT (id) DO UPDATE SET sha256=excluded.sha256,"
        " filename=excluded.filename, label=excluded.label,"
        " metadata=excluded.metadata, width=excluded.width, height=excluded.height,"
        " media_type=excluded.media_type, bytes=excluded.bytes,"
        " created_at=excluded.created_at RETURNING position",
        (
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
        ),
    ).fetchone()
    put_facts(db, int(position))
    return int(position)


def put_vector(
    db: sqlite3.Connection, position: int, sha256: str, model_id: str, vector: Vectors
) -> bool:
    """Store a vector float32 [D] of an image, unless it has other bytes by now; return whether."""
    changed = db.execute(
        "INSERT OR REPLACE INTO vectors SELECT position, ?, ? FROM images"
        " WHERE position = ? AND sha256 = ?",
        (model_id, np.ascontiguousarray(vector, "<f4").tobytes(), position, sha256),
    )
    return changed.rowcount > 0


def records_of(db: sqlite3.Connection, ids: Sequence[str]) -> dict[str, ImageRecord]:
    """Return the records of those ids that exist."""
    records: dict[str, ImageRecord] = {}
    for chunk, marks in _chunks(ids):
        rows = db.execute(f"SELECT {_COLUMNS} FROM images WHERE id IN ({marks})", chunk)  # noqa: S608
        records.update((row[0], _record(row)) for row in rows)
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
    return [_record(row) for row in rows]


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
    return [_record(row) for row in rows]


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
        records.update((row[-1], _record(row)) for row in rows)
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
    for chunk, marks in _chunks(ids):
        rows = db.execute(
            "SELECT id, min(value) FROM images JOIN facts USING (position)"  # noqa: S608
            f" WHERE key = ? AND id IN ({marks}) GROUP BY id",
            (key, *chunk),
        )
        values.update((row[0], loaded(row[1])) for row in rows)
    return values


def used_digests(db: sqlite3.Connection, digests: Sequence[str]) -> set[str]:
    """Return those of ``digests`` that some record has."""
    used: set[str] = set()
    for chunk, marks in _chunks(digests):
        rows = db.execute(f"SELECT DISTINCT sha256 FROM images WHERE sha256 IN ({marks})", chunk)  # noqa: S608
        used.update(row[0] for row in rows)
    return used


def vectors_of(db: sqlite3.Connection, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
    """Return the vector float32 [D] of each of those ids that the model has one of.

    Raises ``StorageUnavailable`` when one has been altered.
    """
    vectors: dict[str, Vectors] = {}
    for chunk, marks in _chunks(ids):
        rows = db.execute(
            "SELECT id, vector FROM images JOIN vectors USING (position)"  # noqa: S608
            f" WHERE model_id = ? AND id IN ({marks})",
            (model_id, *chunk),
        )
        vectors.update((row[0], np.frombuffer(row[1], "<f4")) for row in rows)
    lengths = {len(vector) for vector in vectors.values()}
    if len(lengths) > 1 or any(not np.isfinite(vector).all() for vector in vectors.values()):
        raise StorageUnavailable("a stored vector has been altered")
    return vectors


def vectors_after(
    db: sqlite3.Connection, model_id: str, dimension: int, after: int, limit: int
) -> tuple[list[str], Vectors, int]:
    """Return up to ``limit`` ids with vectors float32 [N, D], and the last position.

    Raises ``StorageUnavailable`` when one has another length or a value that is not finite.
    """
    rows = db.execute(
        "SELECT position, id, vector FROM vectors JOIN images USING (position)"
        " WHERE model_id = ? AND position > ? ORDER BY position LIMIT ?",
        (model_id, after, limit),
    ).fetchall()
    if any(len(row[2]) != 4 * dimension for row in rows):
        raise StorageUnavailable("a stored vector has the wrong length")
    vectors = np.frombuffer(b"".join(row[2] for row in rows), "<f4").reshape(-1, dimension)
    if not np.isfinite(vectors).all():
        raise StorageUnavailable("a stored vector has been altered")
    return [row[1] for row in rows], vectors, rows[-1][0] if rows else after


def summary_of(db: sqlite3.Connection) -> Summary:
    """Return counts over all records."""
    images, size, labels, first, last = db.execute(
        "SELECT count(*), coalesce(sum(bytes), 0), count(DISTINCT label),"
        " min(created_at), max(created_at) FROM images"
    ).fetchone()
    types = dict(db.execute("SELECT media_type, count(*) FROM images GROUP BY 1 ORDER BY 1"))
    models = dict(db.execute("SELECT model_id, count(*) FROM vectors GROUP BY 1 ORDER BY 1"))
    return Summary(images, size, labels, types, models, first, last)


def dumped(metadata: dict[str, Any]) -> str:
    """Return metadata as its column holds them."""
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def _positions(where: Filter | None) -> tuple[str, list[Value]]:
    return positions(where) if where else ("position", [])


def _chunks(values: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    for start in range(0, len(values), _CHUNK):
        chunk = values[start : start + _CHUNK]
        yield chunk, ",".join("?" * len(chunk))


def _record(row: tuple[Any, ...]) -> ImageRecord:
    image_id, sha256, filename, label, text, width, height, media_type, size, created, position = (
        row
    )
    try:
        metadata = json.loads(text)
    except ValueError as exc:
        raise StorageUnavailable(f"the record of {image_id!r} has been altered") from exc
    return ImageRecord(
        id=image_id,
        sha256=sha256,
        filename=filename,
        label=label,
        metadata=metadata,
        width=width,
        height=height,
        media_type=media_type,
        bytes=size,
        created_at=created,
        position=position,
    )
