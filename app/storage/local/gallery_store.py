"""The embedded gallery store: SQLite, and an exact index in memory for each loaded model."""

import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from app.errors import StorageFull
from app.index.flat import FlatIndex
from app.index.vector_index import Selection, VectorIndex
from app.storage.damage import Damage
from app.storage.filters import Filter, Scalar
from app.storage.local import recovery, rows, vector_rows
from app.storage.local.database import Database
from app.storage.local.journal import Entry, Journal
from app.storage.local.reserve import Reserve
from app.storage.records import ImageRecord, Summary

T = TypeVar("T")
Check = Callable[[sqlite3.Connection, int, int], tuple[int, rows.RowsDamaged | None]]

JOURNAL = "journal.jsonl"
# Filters whose images are remembered until the gallery changes; each takes memory for every image.
_REMEMBERED = 4
# Vectors read from the database at a time, and rows checked at a time beside searches.
_CHUNK, _PIECE = 4096, 500


@dataclass
class _Loaded:
    """A model's index, and how often it was loaded without being unloaded."""

    index: VectorIndex
    dimension: int
    loads: int = 1


class LocalGalleryStore:
    """Durable order of a write: journal, database, index, return. Changes take turns; reads do not wait.

    What a read finds damaged is mended or set aside before it answers.
    """

    def __init__(self, database: Database) -> None:
        """Hold the database to the journal beside it. Raises ``DatabaseOutdated``."""
        self._database = database
        self._journal = Journal(database.path.with_name(JOURNAL))
        self._reserve = Reserve(database.path.with_name("reserve"))
        self._damage = deque(recovery.reconcile(database, self._journal))
        with database.reading() as db:
            self._change = rows.last_change(db)
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
            with self._changed_records() as (db, put, _):
                for record, vector in zip(records, vectors, strict=True):
                    position = rows.put_record(db, record)
                    vector_rows.put_vector(db, position, record.sha256, model_id, vector)
                    put.append(replace(record, position=position))
            self._reserve.fill()
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
                    vector_rows.put_vector(db, record.position, record.sha256, model_id, vector)
                    for record, vector in zip(records, vectors, strict=True)
                ]
            if model_id in self._loaded and any(stored):
                ids = [record.id for record, done in zip(records, stored, strict=True) if done]
                self._loaded[model_id].index.add(ids, vectors[stored])

    def describe(self, image_id: str, label: str | None, metadata: dict[str, Any]) -> None:
        with self._changing:
            known = self.get([image_id]).get(image_id)
            if known:
                changed = replace(known, label=label, metadata=metadata)
                with self._changed_records() as (db, put, _):
                    rows.write_record(db, changed)
                    put.append(changed)

    def delete(self, ids: Sequence[str]) -> None:
        with self._changing:
            try:
                self._delete(ids)
            except StorageFull:
                with self._reserve.given_up():
                    self._delete(ids)
            for loaded in self._loaded.values():
                loaded.index.remove(ids)

    def _delete(self, ids: Sequence[str]) -> None:
        with self._changed_records() as (db, _, removed):
            rows.delete_records(db, ids)
            removed.extend(ids)

    @contextmanager
    def _changed_records(
        self,
    ) -> Iterator[tuple[sqlite3.Connection, list[ImageRecord], list[str]]]:
        """Yield a transaction, and lists for what it puts and removes, which the journal is told."""
        put: list[ImageRecord] = []
        removed: list[str] = []
        number = self._change + 1
        with self._journal.undone_on_failure(), self._database.transaction() as db:
            yield db, put, removed
            rows.count_change(db, number)
            self._journal.append(Entry(number, put, removed))
        self._change = number
        self._generation += 1

    def get(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        return self._read(lambda db: rows.records_of(db, ids))

    def page(self, after: int, limit: int, where: Filter | None = None) -> list[ImageRecord]:
        much = "filter" if where else None
        return self._read(lambda db: rows.records_after(db, after, limit, where), much)

    def sample(self, count: int) -> list[ImageRecord]:
        return self._read(lambda db: rows.sampled_records(db, count))

    def count(self, where: Filter | None = None) -> int:
        if where is not None:
            return len(self._allowed(where).ids)
        return self._read(rows.count_records)

    def summary(self) -> Summary:
        return self._read(rows.summary_of)

    def values_of(self, key: str, ids: Sequence[str]) -> dict[str, Scalar]:
        return self._read(lambda db: rows.values_of(db, key, ids))

    def used(self, digests: Sequence[str]) -> set[str]:
        return self._read(lambda db: rows.used_digests(db, digests))

    def without_vector(self, model_id: str, after: int, limit: int) -> list[ImageRecord]:
        return self._read(lambda db: rows.records_without_vector(db, model_id, after, limit))

    def keep_vectors(self, *model_ids: str) -> None:
        marks = ",".join("?" * len(model_ids))
        with self._database.transaction() as db:
            db.execute(f"DELETE FROM vectors WHERE model_id NOT IN ({marks})", model_ids)  # noqa: S608

    def load(self, model_id: str, dimension: int) -> None:
        with self._changing:
            if model_id in self._loaded:
                self._loaded[model_id].loads += 1
                return
            for _ in self._check_all(rows.damaged_records_after):
                pass
            self._loaded[model_id] = _Loaded(self._filled(model_id, dimension), dimension)

    def _filled(self, model_id: str, dimension: int) -> VectorIndex:
        index, after = FlatIndex(dimension), 0
        while True:
            ids, vectors, after = self._read(
                partial(
                    vector_rows.vectors_after,
                    model_id=model_id,
                    dimension=dimension,
                    after=after,
                    limit=_CHUNK,
                )
            )
            if not ids:
                return index
            index.add(ids, vectors)

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
        return self._read(lambda db: vector_rows.vectors_of(db, model_id, ids))

    def nearest(
        self, model_id: str, queries: Vectors, k: int, where: Filter | None = None
    ) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
        allowed = None if where is None else self._allowed(where)
        return self._index(model_id).search(queries, k, allowed)

    def within(self, model_id: str, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
        return self._index(model_id).within(ids, radius)

    def check(self, stopping: Callable[[], bool]) -> Iterator[Damage | None]:
        yield from self._reported()
        for position in self._read(rows.damaged_positions):
            yield Damage("record", f"no. {position}", "its row was altered, and is set aside")
        problem = self._database.problem(stopping=stopping)
        if problem:
            with self._changing:
                mended = recovery.mend_indexes(self._database)
                self._generation += 1
            yield Damage("database", self._database.path.name, problem, mended)
        yield None
        for check in (rows.damaged_records_after, vector_rows.damaged_vectors_after):
            for _ in self._check_all(check):
                yield None
                yield from self._reported()
        with self._changing:
            self._damage += recovery.check_journal(self._database, self._journal)
        yield from self._reported()

    def _check_all(self, check: Check) -> Iterator[None]:
        """Let ``check`` look at everything, a chunk beyond a position at a time."""
        after, last = -1, 0
        while last != after:
            after = last
            last = self._read(partial(_chunk_from, check, after))
            yield

    def _reported(self) -> list[Damage]:
        """What was met since the last call."""
        return [self._damage.popleft() for _ in range(len(self._damage))]

    def _read(self, work: Callable[[sqlite3.Connection], T], much: str | None = None) -> T:
        result, damage = recovery.read(self._database, self._journal, work, much=much)
        if damage:
            self._damage += damage
            if any(each.kind == "record" and not each.mended for each in damage):
                self._forget_lost()
        return result

    def _forget_lost(self) -> None:
        """Fill the indexes anew: which id a lost record had is not known for certain."""
        with self._changing:
            self._generation += 1
            for model_id, loaded in self._loaded.items():
                loaded.index = self._filled(model_id, loaded.dimension)

    def _index(self, model_id: str) -> VectorIndex:
        return self._loaded[model_id].index

    def _allowed(self, where: Filter) -> Selection:
        """Return the images that a filter allows, looked up once until the gallery changes."""
        # By its text: to Python, filters are equal where one has 1 and the other true.
        key = (repr(where), self._generation)
        selection = self._selections.get(key)
        if selection is None:
            selection = Selection(self._read(lambda db: rows.ids_where(db, where), "filter"))
            for oldest in list(self._selections)[: 1 - _REMEMBERED]:
                self._selections.pop(oldest, None)
            self._selections[key] = selection
        return selection


def _chunk_from(check: Check, after: int, db: sqlite3.Connection) -> int:
    last, damaged = check(db, after, _PIECE)
    if damaged:
        raise damaged
    return last
