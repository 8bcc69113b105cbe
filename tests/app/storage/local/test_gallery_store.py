"""The embedded gallery store: what outlives a restart, what a spoilt file does, what a change costs."""

import re
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.errors import StorageFull, StorageUnavailable
from app.storage.filters import parse_filter
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


SPOILT = [
    b"short",
    np.array([0, 1, np.nan, 3], "<f4").tobytes(),
    np.array([0, 0, 0, 1e-45], "<f4").tobytes(),
]


def reopened(database: Database) -> LocalGalleryStore:
    """A store that has met nothing yet, as after a restart."""
    return LocalGalleryStore(database)


def damage(store: LocalGalleryStore) -> list[tuple[str, str, bool]]:
    found = [each for each in store.check(lambda: False) if each]
    return [(each.kind, each.item, each.mended) for each in found]


@pytest.mark.parametrize("blob", SPOILT)
def test_a_spoilt_vector_is_left_out_and_can_be_given_anew(
    store: LocalGalleryStore, database: Database, path: Path, blob: bytes
) -> None:
    put(store, "a", "b")
    tamper(path, "UPDATE vectors SET vector = ? WHERE position = 2", blob)
    store = reopened(database)
    store.load("m", 4)
    assert store.searchable("m") == 1
    (without,) = store.without_vector("m", 0, 10)
    assert without.id == "b"
    store.put_vectors([without], np.zeros((1, 4), np.float32), "m")
    assert store.searchable("m") == 2
    assert damage(store) == [("vector", "no. 2 of m…", True)]
    assert damage(store) == []


def test_a_vector_that_has_come_to_another_image_is_noticed(
    store: LocalGalleryStore, database: Database, path: Path
) -> None:
    put(store, "a", "b")
    tamper(path, "UPDATE vectors SET position = 9 - position")
    tamper(path, "UPDATE vectors SET position = position - 6")
    store = reopened(database)
    store.load("m", 4)
    assert store.searchable("m") == 0


def test_a_vector_of_a_model_that_is_not_loaded_is_looked_at_too(
    store: LocalGalleryStore, path: Path
) -> None:
    put(store, "a", "b")
    tamper(path, "UPDATE vectors SET vector = zeroblob(12) WHERE position = 1")
    assert list(store.vectors("m", ["a", "b"])) == ["b"]
    tamper(path, "UPDATE vectors SET vector = zeroblob(12)")
    assert damage(store) == [("vector", "no. 1 of m…", True), ("vector", "no. 2 of m…", True)]


CHANGES = [
    "UPDATE images SET metadata = '{cut sh' WHERE id = 'b'",
    "UPDATE images SET label = CAST(x'ff' AS TEXT) WHERE id = 'b'",
    "UPDATE images SET sha256 = 'sha-a' WHERE id = 'b'",
    "UPDATE images SET id = 'B' WHERE id = 'b'",
]


@pytest.mark.parametrize("change", CHANGES)
def test_a_spoilt_record_is_mended_from_the_journal_before_anything_is_answered(
    store: LocalGalleryStore, path: Path, change: str
) -> None:
    put(store, "a", "b", "c")
    store.load("m", 4)
    store.describe("b", "shoe", {"n": 1})
    before = store.page(0, 10)
    tamper(path, change)
    assert store.page(0, 10) == before
    assert store.get(["b"])["b"] == before[1]
    assert ("record", "b", True) in damage(store)
    assert store.searchable("m") == 3


def test_a_spoilt_record_that_the_journal_does_not_know_is_set_aside_and_stays_known(
    store: LocalGalleryStore, database: Database, path: Path
) -> None:
    put(store, "a", "b")
    store.load("m", 4)
    (path.parent / "journal.jsonl").write_bytes(b"")
    tamper(path, "UPDATE images SET id = 'B' WHERE id = 'b'")
    assert [each.id for each in store.page(0, 10)] == ["a"]
    assert store.searchable("m") == 1, "a search finds what has a record"
    assert ("record", "no. 2", False) in damage(store)
    assert damage(reopened(database))[-1] == ("record", "no. 2", False), "after a restart, too"


@pytest.mark.parametrize("place", range(3))
def test_a_flipped_bit_in_a_text_is_found_wherever_it_lies_and_mended(
    store: LocalGalleryStore, database: Database, path: Path, place: int
) -> None:
    """An id lies in the table and in its index, a label in two places more: what filters ask for."""
    put(store, "first-image", "second-image")
    store.describe("first-image", "a-certain-shoe", {})
    before = store.page(0, 10)
    database.close()
    data = bytearray(path.read_bytes())
    for text in (b"first-image", b"a-certain-shoe"):
        places = [match.start() for match in re.finditer(text, data)]
        data[places[place % len(places)] + 3] ^= 2
    path.write_bytes(data)
    again = Database(path)
    opened = LocalGalleryStore(again)
    opened.load("m", 4)
    found = damage(opened)
    assert found
    assert all(mended for _, _, mended in found)
    assert opened.page(0, 10) == before
    assert list(opened.get(["first-image"])) == ["first-image"]
    assert opened.count(parse_filter('{"label": "a-certain-shoe"}')) == 1
    assert again.problem() is None
    again.close()


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


def test_deleting_makes_do_with_the_reserve_where_the_disk_is_full(
    store: LocalGalleryStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "a", "b")
    delete, reserve = store._delete, path.with_name("reserve")

    def only_with_room(ids: list[str]) -> None:
        if reserve.exists():
            raise StorageFull
        delete(ids)

    monkeypatch.setattr(store, "_delete", only_with_room)
    store.delete(["a"])
    assert [each.id for each in store.page(0, 10)] == ["b"]
    assert reserve.exists()


def steps(database: Database, work: Callable[[], object]) -> int:
    """How many instructions SQLite runs for ``work``."""
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return 0

    with database.transaction() as db:
        db.set_progress_handler(counted, 1)
    work()
    with database.transaction() as db:
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
