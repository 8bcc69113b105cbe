"""Database and journal after a crash, a loss or an older copy of one of them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from app.errors import DatabaseOutdated, StorageUnavailable
from app.storage.local import recovery
from app.storage.local.database import Database
from app.storage.local.gallery_store import LocalGalleryStore
from app.storage.local.journal import Entry, Journal
from tests.support.records import put, record


@contextmanager
def opened(folder: Path) -> Iterator[LocalGalleryStore]:
    database = Database(folder / "gallery.sqlite3")
    try:
        yield LocalGalleryStore(database)
    finally:
        database.close()


def ids(folder: Path) -> list[str]:
    with opened(folder) as store:
        return [each.id for each in store.page(0, 100)]


def entries(folder: Path) -> list[Entry | None]:
    return list(Journal(folder / "journal.jsonl").entries())


def test_the_last_change_is_completed_when_only_the_journal_has_it(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        put(store, "a", "b")
    saved = (tmp_path / "gallery.sqlite3").read_bytes()
    with opened(tmp_path) as store:
        store.put(
            [record("c", label="shoe"), record("a", label="hat")], np.zeros((2, 4), np.float32), "m"
        )
        after = store.page(0, 10)
    (tmp_path / "gallery.sqlite3").write_bytes(saved)
    with opened(tmp_path) as store:
        assert store.page(0, 10) == after
        assert [r.id for r in store.without_vector("m", 0, 10)] == ["a", "c"]
        store.delete(["b"])
    (tmp_path / "gallery.sqlite3").write_bytes(saved)
    with pytest.raises(DatabaseOutdated, match="lacks the last 2 changes"):
        ids(tmp_path)


def test_an_older_copy_of_the_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        put(store, "a")
    shutil.copy(tmp_path / "gallery.sqlite3", tmp_path / "old")
    with opened(tmp_path) as store:
        put(store, "b")
        put(store, "c")
    newest = (tmp_path / "gallery.sqlite3").read_bytes()
    journal = (tmp_path / "journal.jsonl").read_bytes()
    shutil.copy(tmp_path / "old", tmp_path / "gallery.sqlite3")
    for _ in range(2):
        with pytest.raises(DatabaseOutdated, match="gallery rebuild"):
            ids(tmp_path)
    assert (tmp_path / "journal.jsonl").read_bytes() == journal
    (tmp_path / "gallery.sqlite3").write_bytes(newest)
    assert ids(tmp_path) == ["a", "b", "c"]


@pytest.mark.parametrize("content", [None, b"", b"neither\n", b"half a li"])
def test_a_journal_that_is_lost_is_written_anew(tmp_path: Path, content: bytes | None) -> None:
    with opened(tmp_path) as store:
        put(store, "a", "b")
    journal = tmp_path / "journal.jsonl"
    journal.unlink() if content is None else journal.write_bytes(content)
    with opened(tmp_path) as store:
        assert [(d.kind, d.mended) for d in store.check(lambda: False) if d] == [("journal", True)]
        records = store.page(0, 10)
    (entry,) = entries(tmp_path)
    assert entry == Entry(1, records, [])


def test_an_older_copy_of_the_journal_is_written_anew(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        put(store, "a")
        old = (tmp_path / "journal.jsonl").read_bytes()
        put(store, "b")
        put(store, "c")
    (tmp_path / "journal.jsonl").write_bytes(old)
    assert ids(tmp_path) == ["a", "b", "c"]
    (entry,) = entries(tmp_path)
    assert entry is not None
    assert [r.id for r in entry.put] == ["a", "b", "c"]


def test_a_journal_that_grew_far_beyond_its_records_is_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.storage.local.recovery._SLACK", 5)
    with opened(tmp_path) as store:
        put(store, "a")
        for number in range(9):
            store.describe("a", str(number), {})
    assert len(entries(tmp_path)) == 10
    assert ids(tmp_path) == ["a"]
    assert len(entries(tmp_path)) == 1


def test_a_change_that_was_refused_does_not_come_back(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        put(store, "a")
        with pytest.raises(StorageUnavailable):
            store.put([record("b", filename=object())], np.zeros((1, 4), np.float32), "m")
    assert ids(tmp_path) == ["a"]
    assert len(entries(tmp_path)) == 1


def test_what_was_changed_or_removed_since_it_was_met_is_left_alone(tmp_path: Path) -> None:
    """Two reads meet the same damage; a change comes between the first one's mending and the other's."""
    database = Database(tmp_path / "gallery.sqlite3")
    store, journal = LocalGalleryStore(database), Journal(tmp_path / "journal.jsonl")
    put(store, "a", "b")
    stale = list(journal.entries())
    store.describe("a", "new", {})
    store.delete(["b"])

    class Stale(Journal):
        def entries(self) -> Iterator[Entry | None]:
            return iter(stale)

    assert recovery.mend_records(database, Stale(journal.path), [1, 2]) == []
    assert [(each.id, each.label) for each in store.page(0, 10)] == [("a", "new")]
    database.close()
