"""SQLite: image id → record and vectors. Durable once a call returns (WAL, synchronous=FULL)."""

import json
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from app.encoder import Vectors
from app.errors import StorageFull, StorageUnavailable

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE images (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    filename TEXT,
    label TEXT,
    metadata TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX images_sha256 ON images (sha256);
CREATE TABLE vectors (
    position INTEGER NOT NULL REFERENCES images (position) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model_id, position)
) STRICT;
CREATE TABLE sources (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL
) STRICT;
"""
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
class Source:
    """A file of an indexed folder, as it was when it was read."""

    path: str
    size: int
    modified_ns: int


class Catalog:
    """The database file. Calls may come from any thread; they take turns."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.RLock()
        with _translated():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            with _translated():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA foreign_keys=ON")
            self._migrate(path)
        except BaseException:
            self._db.close()
            raise

    def _migrate(self, path: Path) -> None:
        with self._transaction():
            (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise StorageUnavailable(
                    f"{path} was written by a newer version of Gemello (schema {version})"
                )
            if version == 0:
                for statement in _SCHEMA.split(";\n"):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")

    def close(self) -> None:
        with self._lock:
            self._db.close()

    def __len__(self) -> int:
        with self._reading():
            return int(self._db.execute("SELECT count(*) FROM images").fetchone()[0])

    def put(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        """Store records and their vectors [N, D] in one transaction; a known id is replaced.

        A replaced image keeps its place in the gallery; its vectors of other models go.
        """
        with self._transaction():
            for record, vector in zip(records, vectors, strict=True):
                self._db.execute(
                    "DELETE FROM vectors WHERE position = (SELECT position FROM images WHERE id=?)",
                    (record.id,),
                )
                (position,) = self._db.execute(
                    "INSERT INTO images (id, sha256, filename, label, metadata, width, height,"
                    " media_type, bytes, created_at) VALUES (?,?,?,?,?,?,?,?,?,?)"
                    " ON CONFLICT (id) DO UPDATE SET sha256=excluded.sha256,"
                    " filename=excluded.filename, label=excluded.label,"
                    " metadata=excluded.metadata, width=excluded.width, height=excluded.height,"
                    " media_type=excluded.media_type, bytes=excluded.bytes,"
                    " created_at=excluded.created_at RETURNING position",
                    _row(record),
                ).fetchone()
                self._put_vector(int(position), model_id, vector)

    def put_vectors(self, positions: Sequence[int], vectors: Vectors, model_id: str) -> None:
        """Store further vectors of images that are there, in one transaction."""
        with self._transaction():
            for position, vector in zip(positions, vectors, strict=True):
                self._put_vector(position, model_id, vector)

    def _put_vector(self, position: int, model_id: str, vector: Vectors) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)",
            (position, model_id, np.ascontiguousarray(vector, "<f4").tobytes()),
        )

    def delete(self, image_id: str) -> None:
        with self._transaction():
            self._db.execute("DELETE FROM images WHERE id = ?", (image_id,))

    def get(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        """The records of those ids that exist."""
        found: dict[str, ImageRecord] = {}
        with self._reading():
            for start in range(0, len(ids), _CHUNK):
                chunk = ids[start : start + _CHUNK]
                marks = ",".join("?" * len(chunk))
                rows = self._db.execute(
                    f"SELECT {_COLUMNS} FROM images WHERE id IN ({marks})",  # noqa: S608
                    chunk,
                )
                found.update((row[0], _record(row)) for row in rows)
        return found

    def page(self, after: int, limit: int) -> list[ImageRecord]:
        """Up to ``limit`` records whose position is greater than ``after``, in order."""
        with self._reading():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM images WHERE position > ? ORDER BY position LIMIT ?",  # noqa: S608
                (after, limit),
            )
            return [_record(row) for row in rows]

    def without_vector(self, model_id: str, after: int, limit: int) -> list[ImageRecord]:
        """Up to ``limit`` records beyond the position ``after`` with no vector of ``model_id``."""
        with self._reading():
            rows = self._db.execute(
                f"SELECT {_COLUMNS} FROM images WHERE position > ? AND NOT EXISTS"  # noqa: S608
                " (SELECT 1 FROM vectors WHERE model_id = ? AND position = images.position)"
                " ORDER BY position LIMIT ?",
                (after, model_id, limit),
            )
            return [_record(row) for row in rows]

    def vectors(
        self, model_id: str, dimension: int, chunk: int = 4096
    ) -> Iterator[tuple[list[str], Vectors]]:
        """Every stored vector of ``model_id`` as (ids, float32 [N, D]), ``chunk`` at a time.

        Raises ``StorageUnavailable`` when one has another length or a value that is not finite.
        """
        after = 0
        while True:
            with self._reading():
                rows = self._db.execute(
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
        with self._reading():
            return {row[0] for row in self._db.execute("SELECT sha256 FROM images")}

    def uses(self, digest: str) -> bool:
        with self._reading():
            query = "SELECT 1 FROM images WHERE sha256 = ? LIMIT 1"
            return self._db.execute(query, (digest,)).fetchone() is not None

    def knows(self, source: Source) -> bool:
        """Whether this very file, by path, size and time of change, was read before."""
        with self._reading():
            query = "SELECT 1 FROM sources WHERE path = ? AND size = ? AND modified_ns = ?"
            row = self._db.execute(query, (source.path, source.size, source.modified_ns)).fetchone()
            return row is not None

    def remember(self, sources: Iterable[Source]) -> None:
        with self._transaction():
            self._db.executemany(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?)",
                [(s.path, s.size, s.modified_ns) for s in sources],
            )

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock, _translated():
            yield

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock, _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


def _row(record: ImageRecord) -> tuple[object, ...]:
    return (
        record.id,
        record.sha256,
        record.filename,
        record.label,
        json.dumps(record.metadata, ensure_ascii=False, separators=(",", ":")),
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


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull() from exc
        raise StorageUnavailable(f"the database says {exc}") from exc
