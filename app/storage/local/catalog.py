"""Image id → record and vectors, in the database; durable once a call returns."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import numpy as np

from app.bundle.encoder import Vectors
from app.errors import StorageUnavailable
from app.storage.filters import Filter, Scalar
from app.storage.local.database import Database
from app.storage.local.filter_sql import loaded, positions
from app.storage.local.schema import put_facts

_COLUMNS = (
    "id, sha256, filename, label, metadata, width, height, media_type, bytes, created_at, position"
)
# SQLite's default limit on variables is 32,766; this keeps statements short as well.
_CHUNK = 500


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """What is known of a stored image; ``position`` orders the gallery by arrival."""

    id: str
    sha256: str
    filename: str | None
    label: str | None
    metadata: dict[str, Any]
    width: int
    height: int
    media_type: str
    bytes: int
    created_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    position: int = 0


@dataclass(frozen=True, slots=True)
class Summary:
    """Counts of a gallery: ``vectors`` by model id, dates of the oldest and newest image."""

    images: int
    bytes: int
    labels: int
    media_types: dict[str, int]
    vectors: dict[str, int]
    oldest: str | None
    newest: str | None


class Catalog:
    """The records of a gallery's images, what filters ask of them, and their vectors."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.generation = 0
        """Counts the changes of records, so that what was found of them may be kept till the next."""

    def __len__(self) -> int:
        with self._database.reading() as db:
            return int(db.execute("SELECT count(*) FROM images").fetchone()[0])

    def put(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        """Store records and their vectors [N, D] in one transaction; a known id is replaced.

        A replaced image keeps its place in the gallery; its vectors of other models go.
        """
        with self._database.transaction() as db:
            for record, vector in zip(records, vectors, strict=True):
                db.execute(
                    "DELETE FROM vectors WHERE position = (SELECT position FROM images WHERE id=?)",
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
                    _row(record),
                ).fetchone()
                self._put_vector(db, replace(record, position=int(position)), model_id, vector)
                put_facts(db, int(position))
        self.generation += 1

    def put_vectors(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        """Store further vectors of images that are there, in one transaction.

        An image that was removed or replaced since its record was read gets none.
        """
        with self._database.transaction() as db:
            for record, vector in zip(records, vectors, strict=True):
                self._put_vector(db, record, model_id, vector)

    def _put_vector(
        self, db: sqlite3.Connection, record: ImageRecord, model_id: str, vector: Vectors
    ) -> None:
        db.execute(
            "INSERT OR REPLACE INTO vectors SELECT position, ?, ? FROM images"
            " WHERE position = ? AND sha256 = ?",
            (
                model_id,
                np.ascontiguousarray(vector, "<f4").tobytes(),
                record.position,
                record.sha256,
            ),
        )

    def describe(self, image_id: str, label: str | None, metadata: dict[str, Any]) -> None:
        """Give an image another label and other metadata; its bytes and vectors stay."""
        with self._database.transaction() as db:
            row = db.execute(
                "UPDATE images SET label = ?, metadata = ? WHERE id = ? RETURNING position",
                (label, _json(metadata), image_id),
            ).fetchone()
            if row is not None:
                put_facts(db, int(row[0]))
        self.generation += 1

    def delete(self, ids: Sequence[str]) -> None:
        """Forget images and their vectors, in one transaction; unknown ids are ignored."""
        with self._database.transaction() as db:
            db.executemany("DELETE FROM images WHERE id = ?", [(image_id,) for image_id in ids])
        self.generation += 1

    def get(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        """The records of those ids that exist."""
        found: dict[str, ImageRecord] = {}
        with self._database.reading() as db:
            for chunk, marks in _chunks(ids):
                rows = db.execute(
                    f"SELECT {_COLUMNS} FROM images WHERE id IN ({marks})",  # noqa: S608
                    chunk,
                )
                found.update((row[0], _record(row)) for row in rows)
        return found

    def page(self, after: int, limit: int, wanted: Filter | None = None) -> list[ImageRecord]:
        """Up to ``limit`` records beyond the position ``after``, those that ``wanted`` holds for."""
        chosen, values = positions(wanted) if wanted else ("position", [])
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM images WHERE position > ? AND position IN ({chosen})"  # noqa: S608
                " ORDER BY position LIMIT ?",
                (after, *values, limit),
            )
            return [_record(row) for row in rows]

    def matching(self, wanted: Filter) -> list[str]:
        """The ids of the images that ``wanted`` holds for, in order of arrival."""
        chosen, values = positions(wanted)
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT id FROM images WHERE position IN ({chosen}) ORDER BY position",  # noqa: S608
                values,
            )
            return [row[0] for row in rows]

    def values_of(self, key: str, ids: Sequence[str]) -> dict[str, Scalar]:
        """What those images have under a filter's ``key``; the least of several values, none of none."""
        found: dict[str, Scalar] = {}
        with self._database.reading() as db:
            for chunk, marks in _chunks(ids):
                rows = db.execute(
                    "SELECT id, min(value) FROM images JOIN facts USING (position)"  # noqa: S608
                    f" WHERE key = ? AND id IN ({marks}) GROUP BY id",
                    (key, *chunk),
                )
                found.update((row[0], loaded(row[1])) for row in rows)
        return found

    def without_vector(self, model_id: str, after: int, limit: int) -> list[ImageRecord]:
        """Up to ``limit`` records beyond the position ``after`` with no vector of ``model_id``."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM images WHERE position > ? AND NOT EXISTS"  # noqa: S608
                " (SELECT 1 FROM vectors WHERE model_id = ? AND position = images.position)"
                " ORDER BY position LIMIT ?",
                (after, model_id, limit),
            )
            return [_record(row) for row in rows]

    def summary(self) -> Summary:
        """Counts over all records."""
        with self._database.reading() as db:
            images, size, labels, first, last = db.execute(
                "SELECT count(*), coalesce(sum(bytes), 0), count(DISTINCT label),"
                " min(created_at), max(created_at) FROM images"
            ).fetchone()
            types = dict(
                db.execute("SELECT media_type, count(*) FROM images GROUP BY 1 ORDER BY 1")
            )
            models = dict(
                db.execute("SELECT model_id, count(*) FROM vectors GROUP BY 1 ORDER BY 1")
            )
        return Summary(images, size, labels, types, models, first, last)

    def count_vectors(self, model_id: str) -> int:
        """How many images have a vector of ``model_id``."""
        with self._database.reading() as db:
            query = "SELECT count(*) FROM vectors WHERE model_id = ?"
            return int(db.execute(query, (model_id,)).fetchone()[0])

    def keep_vectors(self, *model_ids: str) -> None:
        """Forget the vectors of all other models."""
        marks = ",".join("?" * len(model_ids))
        with self._database.transaction() as db:
            db.execute(f"DELETE FROM vectors WHERE model_id NOT IN ({marks})", model_ids)  # noqa: S608

    def vectors(
        self, model_id: str, dimension: int, chunk: int = 4096
    ) -> Iterator[tuple[list[str], Vectors]]:
        """Every stored vector of ``model_id`` as (ids, float32 [N, D]), ``chunk`` at a time.

        Raises ``StorageUnavailable`` when one has another length or a value that is not finite.
        """
        after = 0
        while True:
            with self._database.reading() as db:
                rows = db.execute(
                    "SELECT position, id, vector FROM vectors JOIN images USING (position)"
                    " WHERE model_id = ? AND position > ? ORDER BY position LIMIT ?",
                    (model_id, after, chunk),
                ).fetchall()
            if not rows:
                return
            if any(len(row[2]) != 4 * dimension for row in rows):
                raise StorageUnavailable("a stored vector has the wrong length")
            vectors = np.frombuffer(b"".join(row[2] for row in rows), "<f4").reshape(-1, dimension)
            if not np.isfinite(vectors).all():
                raise StorageUnavailable("a stored vector has been altered")
            yield [row[1] for row in rows], vectors
            after = rows[-1][0]

    def digests(self) -> set[str]:
        """The SHA-256 of every image that some record needs."""
        with self._database.reading() as db:
            return {row[0] for row in db.execute("SELECT sha256 FROM images")}

    def uses(self, digest: str) -> bool:
        with self._database.reading() as db:
            query = "SELECT 1 FROM images WHERE sha256 = ? LIMIT 1"
            return db.execute(query, (digest,)).fetchone() is not None


def _chunks(ids: Sequence[str]) -> Iterator[tuple[Sequence[str], str]]:
    for start in range(0, len(ids), _CHUNK):
        chunk = ids[start : start + _CHUNK]
        yield chunk, ",".join("?" * len(chunk))


def _json(metadata: dict[str, Any]) -> str:
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def _row(record: ImageRecord) -> tuple[object, ...]:
    return (
        record.id,
        record.sha256,
        record.filename,
        record.label,
        _json(record.metadata),
        record.width,
        record.height,
        record.media_type,
        record.bytes,
        record.created_at,
    )


def _record(row: tuple[Any, ...]) -> ImageRecord:
    values = dict(zip(_COLUMNS.split(", "), row, strict=True))
    try:
        metadata = json.loads(values["metadata"])
    except ValueError as exc:
        raise StorageUnavailable(f"the record of {values['id']!r} has been altered") from exc
    return ImageRecord(**{**values, "metadata": metadata})
