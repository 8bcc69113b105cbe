"""The embedded gallery store: SQLite, and an exact index in memory for each loaded model."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from app.index.flat import FlatIndex
from app.index.vector_index import Selection, VectorIndex
from app.storage.filters import Filter, Scalar
from app.storage.local import rows
from app.storage.local.database import Database
from app.storage.local.schema import put_facts
from app.storage.records import ImageRecord, Summary

# Filters whose images are remembered until the gallery changes; each takes memory for every image.
_REMEMBERED = 4
# Vectors read from the database at a time.
_CHUNK = 4096


@dataclass
class _Loaded:
    """A model's index, and how often it was loaded without being unloaded."""

    index: VectorIndex
    loads: int = 1


class LocalGalleryStore:
    """Durable order of a write: database, index, return. Changes take turns; reads do not wait."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loaded: dict[str, _Loaded] = {}
        # An index must hold what the database holds: nothing is written while one is filled.
        self._changing = threading.RLock()
        self._generation = 0
        self._selections: dict[tuple[str, int], Selection] = {}

    @property
    def generation(self) -> int:
        return self._generation

    def put(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        with self._changing:
            with self._database.transaction() as db:
                for record, vector in zip(records, vectors, strict=True):
                    position = rows.put_record(db, record)
                    rows.put_vector(db, position, record.sha256, model_id, vector)
            self._generation += 1
            ids = [record.id for record in records]
            for loaded_id, loaded in self._loaded.items():
                if loaded_id == model_id:
                    loaded.index.add(ids, vectors)
                else:
                    loaded.index.remove(ids)

    def put_vectors(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        with self._changing:
            with self._database.transaction() as db:
                stored = [
                    rows.put_vector(db, record.position, record.sha256, model_id, vector)
                    for record, vector in zip(records, vectors, strict=True)
                ]
            if model_id in self._loaded and any(stored):
                ids = [record.id for record, done in zip(records, stored, strict=True) if done]
                self._loaded[model_id].index.add(ids, vectors[stored])

    def describe(self, image_id: str, label: str | None, metadata: dict[str, Any]) -> None:
        with self._changing:
            with self._database.transaction() as db:
                row = db.execute(
                    "UPDATE images SET label = ?, metadata = ? WHERE id = ? RETURNING position",
                    (label, rows.dumped(metadata), image_id),
                ).fetchone()
                if row is not None:
                    put_facts(db, int(row[0]))
            self._generation += 1

    def delete(self, ids: Sequence[str]) -> None:
        with self._changing:
            with self._database.transaction() as db:
                db.executemany("DELETE FROM images WHERE id = ?", [(image_id,) for image_id in ids])
            self._generation += 1
            for loaded in self._loaded.values():
                loaded.index.remove(ids)

    def get(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        with self._database.reading() as db:
            return rows.records_of(db, ids)

    def page(self, after: int, limit: int, where: Filter | None = None) -> list[ImageRecord]:
        with self._database.reading() as db:
            return rows.records_after(db, after, limit, where)

    def sample(self, count: int) -> list[ImageRecord]:
        with self._database.reading() as db:
            return rows.sampled_records(db, count)

    def count(self, where: Filter | None = None) -> int:
        if where is not None:
            return len(self._allowed(where).ids)
        with self._database.reading() as db:
            return rows.count_records(db)

    def summary(self) -> Summary:
        with self._database.reading() as db:
            return rows.summary_of(db)

    def values_of(self, key: str, ids: Sequence[str]) -> dict[str, Scalar]:
        with self._database.reading() as db:
            return rows.values_of(db, key, ids)

    def used(self, digests: Sequence[str]) -> set[str]:
        with self._database.reading() as db:
            return rows.used_digests(db, digests)

    def without_vector(self, model_id: str, after: int, limit: int) -> list[ImageRecord]:
        with self._database.reading() as db:
            return rows.records_without_vector(db, model_id, after, limit)

    def keep_vectors(self, *model_ids: str) -> None:
        marks = ",".join("?" * len(model_ids))
        with self._database.transaction() as db:
            db.execute(f"DELETE FROM vectors WHERE model_id NOT IN ({marks})", model_ids)  # noqa: S608

    def load(self, model_id: str, dimension: int) -> None:
        with self._changing:
            if model_id in self._loaded:
                self._loaded[model_id].loads += 1
                return
            index, after = FlatIndex(dimension), 0
            while True:
                with self._database.reading() as db:
                    ids, vectors, after = rows.vectors_after(db, model_id, dimension, after, _CHUNK)
                if not ids:
                    break
                index.add(ids, vectors)
            self._loaded[model_id] = _Loaded(index)

    def unload(self, model_id: str) -> None:
        with self._changing:
            loaded = self._loaded[model_id]
            loaded.loads -= 1
            if not loaded.loads:
                del self._loaded[model_id]

    def searchable(self, model_id: str) -> int:
        loaded = self._loaded.get(model_id)
        return len(loaded.index) if loaded else 0

    def vectors(self, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
        loaded = self._loaded.get(model_id)
        if loaded:
            return loaded.index.get(ids)
        with self._database.reading() as db:
            return rows.vectors_of(db, model_id, ids)

    def nearest(
        self, model_id: str, queries: Vectors, k: int, where: Filter | None = None
    ) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
        allowed = None if where is None else self._allowed(where)
        return self._index(model_id).search(queries, k, allowed)

    def within(self, model_id: str, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
        return self._index(model_id).within(ids, radius)

    def _index(self, model_id: str) -> VectorIndex:
        return self._loaded[model_id].index

    def _allowed(self, where: Filter) -> Selection:
        """Return the images that a filter allows, looked up once until the gallery changes."""
        # By its text: to Python, filters are equal where one has 1 and the other true.
        key = (repr(where), self._generation)
        selection = self._selections.get(key)
        if selection is None:
            with self._database.reading() as db:
                selection = Selection(rows.ids_where(db, where))
            for oldest in list(self._selections)[: 1 - _REMEMBERED]:
                self._selections.pop(oldest, None)
            self._selections[key] = selection
        return selection
