"""Vectors as rows of the gallery's tables. Pure functions of a connection.

Whatever reads a row that fails its checksum raises ``RowsDamaged``.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from app.bundle.encoder import Vectors
from app.storage.local.checksums import vector_checksum
from app.storage.local.rows import RowsDamaged, chunks

_COLUMNS = "model_id, position, images.sha256, vector, vectors.checksum, id"


def put_vector(
    db: sqlite3.Connection, position: int, sha256: str, model_id: str, vector: Vectors
) -> bool:
    """Store a vector float32 [D] of an image, unless it has other bytes by now; return whether."""
    data = np.ascontiguousarray(vector, "<f4").tobytes()
    changed = db.execute(
        "INSERT OR REPLACE INTO vectors (position, model_id, vector, checksum)"
        " SELECT position, ?, ?, ? FROM images WHERE position = ? AND sha256 = ?",
        (model_id, data, vector_checksum(position, model_id, sha256, data), position, sha256),
    )
    return changed.rowcount > 0


def vectors_of(db: sqlite3.Connection, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
    """Return the vector float32 [D] of each of those ids that the model has one of."""
    vectors: dict[str, Vectors] = {}
    for chunk, marks in chunks(ids):
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM images JOIN vectors USING (position)"  # noqa: S608
            f" WHERE model_id = ? AND id IN ({marks})",
            (model_id, *chunk),
        )
        for _, _, _, data, _, image_id in _intact(rows):
            vectors[image_id] = np.frombuffer(data, "<f4")
    return vectors


def vectors_after(
    db: sqlite3.Connection, model_id: str, dimension: int, after: int, limit: int
) -> tuple[list[str], Vectors, int]:
    """Return up to ``limit`` ids with vectors float32 [N, D], and the last position.

    One with another length or a value that is not finite counts as damaged.
    """
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM vectors JOIN images USING (position)"  # noqa: S608
        " WHERE model_id = ? AND position > ? ORDER BY position LIMIT ?",
        (model_id, after, limit),
    )
    intact = _intact(rows)
    short = [(row[0], row[1]) for row in intact if len(row[3]) != 4 * dimension]
    if short:
        raise RowsDamaged(vectors=short)
    vectors = np.frombuffer(b"".join(row[3] for row in intact), "<f4").reshape(-1, dimension)
    finite = np.isfinite(vectors).all(axis=1)
    if not finite.all():
        raise RowsDamaged(vectors=[intact[i][:2] for i in np.flatnonzero(~finite)])
    return [row[5] for row in intact], vectors, intact[-1][1] if intact else after


def damaged_vectors_after(
    db: sqlite3.Connection, after: int, limit: int
) -> tuple[int, RowsDamaged | None]:
    """Hold the vectors of up to ``limit`` images, of every model, to their checksums.

    Returns the last position, or ``after`` when there are no more, and those that fail.
    """
    (last,) = db.execute(
        "SELECT max(position) FROM"
        " (SELECT position FROM images WHERE position > ? ORDER BY position LIMIT ?)",
        (after, limit),
    ).fetchone()
    if last is None:
        return after, None
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM images JOIN vectors USING (position)"  # noqa: S608
        " WHERE position > ? AND position <= ?",
        (after, last),
    )
    damaged = _damaged(rows)
    return int(last), RowsDamaged(vectors=damaged) if damaged else None


def drop_vectors(db: sqlite3.Connection, vectors: Iterable[tuple[str, int]]) -> None:
    """Remove vectors by model and position."""
    db.executemany("DELETE FROM vectors WHERE model_id = ? AND position = ?", list(vectors))


def _intact(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    read = list(rows)
    if damaged := _damaged(read):
        raise RowsDamaged(vectors=damaged)
    return read


def _damaged(rows: Iterable[tuple[Any, ...]]) -> list[tuple[str, int]]:
    return [
        (model_id, position)
        for model_id, position, sha256, data, checksum, _ in rows
        if not isinstance(data, bytes)
        or vector_checksum(position, model_id, sha256, data) != checksum
    ]
