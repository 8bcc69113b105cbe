"""The embedded gallery store: what outlives a restart, what a spoilt file does, what a change costs."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.errors import StorageUnavailable
from app.storage.local.database import Database
from app.storage.local.gallery_store import LocalGalleryStore
from tests.support.records import put, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


@pytest.fixture
def store(database: Database) -> LocalGalleryStore:
    return LocalGalleryStore(database)


def test_a_restart_gives_the_same_records_and_vectors(
    store: LocalGalleryStore, database: Database, path: Path
) -> None:
    values = np.random.default_rng(0).normal(size=(5000, 4)).astype(np.float32)
    records = [record(f"id{i:04}", label="späte tür", metadata={"n": i}) for i in range(5000)]
    store.put(records, values, "m")
    before = store.page(0, 5000)
    database.close()
    reopened = Database(path)
    again = LocalGalleryStore(reopened)
    assert again.page(0, 5000) == before
    again.load("m", 4)
    vectors = again.vectors("m", [each.id for each in records])
    assert np.array_equal(np.stack([vectors[each.id] for each in records]), values)
    reopened.close()


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"short", "wrong length"),
        (np.array([0, 1, np.nan, 3], "<f4").tobytes(), "altered"),
        (np.array([0, 1, np.inf, 3], "<f4").tobytes(), "altered"),
    ],
)
def test_a_spoilt_vector_is_reported(
    store: LocalGalleryStore, path: Path, blob: bytes, reason: str
) -> None:
    put(store, "a", "b")
    tamper(path, "UPDATE vectors SET vector = ? WHERE position = 2", blob)
    with pytest.raises(StorageUnavailable, match=reason):
        store.load("m", 4)


def test_spoilt_metadata_is_reported(store: LocalGalleryStore, path: Path) -> None:
    put(store, "a")
    tamper(path, "UPDATE images SET metadata = ?", "{cut sh")
    with pytest.raises(StorageUnavailable, match="altered"):
        store.get(["a"])


def tamper(path: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(path)
    database.execute(statement, values)
    database.commit()
    database.close()


def test_a_write_that_fails_half_way_leaves_nothing(store: LocalGalleryStore) -> None:
    store.load("m", 4)
    broken = record("b", filename=object())
    with pytest.raises(StorageUnavailable):
        store.put([record("a"), broken], np.zeros((2, 4), np.float32), "m")
    assert (store.count(), store.searchable("m")) == (0, 0)
    put(store, "a")
    assert (store.count(), store.searchable("m")) == (1, 1)


def steps(database: Database, work: Callable[[], object]) -> int:
    """How many instructions SQLite runs for ``work``."""
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return 0

    with database.reading() as db:
        db.set_progress_handler(counted, 1)
        work()
        db.set_progress_handler(None, 1)
    return count


def test_a_change_costs_the_same_however_many_images_there_are(
    database: Database, store: LocalGalleryStore
) -> None:
    def change() -> int:
        return sum(
            steps(database, work)
            for work in (
                lambda: put(store, "new"),
                lambda: put(store, "new"),
                lambda: store.delete(["new"]),
            )
        )

    put(store, *map(str, range(20)))
    few = change()
    put(store, *map(str, range(3000)))
    assert change() <= 1.2 * few
