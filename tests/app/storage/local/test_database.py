"""The database file: durable, upgraded from older versions, and told apart from what is none."""

import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.errors import DatabaseDamaged, Overloaded, ParameterInvalid, StorageUnavailable
from app.storage.filters import parse_filter
from app.storage.local import database as database_module
from app.storage.local import schema
from app.storage.local.database import READERS, Database
from app.storage.local.gallery_store import LocalGalleryStore
from app.storage.local.schema import SCHEMA_VERSION


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


def insert(database: Database, value: str) -> None:
    with database.transaction() as db:
        db.execute("INSERT INTO sources VALUES (?, 1, 1)", (value,))


def count(database: Database) -> int:
    with database.reading() as db:
        return int(db.execute("SELECT count(*) FROM sources").fetchone()[0])


def test_commits_are_made_to_last(database: Database) -> None:
    with database.reading() as db:
        (mode,) = db.execute("PRAGMA journal_mode").fetchone()
        (level,) = db.execute("PRAGMA synchronous").fetchone()
    assert (mode, level) == ("wal", 2)


def test_a_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(KeyError), database.transaction() as db:
        db.execute("INSERT INTO sources VALUES ('a', 1, 1)")
        raise KeyError
    assert count(database) == 0
    insert(database, "a")
    assert count(database) == 1


def test_another_programs_lock_is_our_error_and_reading_goes_on(path: Path) -> None:
    database = Database(path, patience_s=0.05)
    other = sqlite3.connect(path)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StorageUnavailable, match="locked"):
        insert(database, "a")
    assert count(database) == 0, "reading goes on"
    other.rollback()
    other.close()
    insert(database, "a")
    assert count(database) == 1
    database.close()


def test_a_read_does_not_wait_for_a_change_and_sees_one_state(database: Database) -> None:
    insert(database, "a")
    with database.reading() as db:
        (before,) = db.execute("SELECT count(*) FROM sources").fetchone()
        with database.transaction() as writing:
            writing.execute("INSERT INTO sources VALUES ('b', 1, 1)")
            assert count(database) == 1
        assert count(database) == 2, "a change is seen once it has ended"
        (after,) = db.execute("SELECT count(*) FROM sources").fetchone()
    assert (before, after) == (1, 1)


def test_what_reads_cannot_write(database: Database) -> None:
    with pytest.raises(StorageUnavailable, match="readonly"), database.reading() as db:
        db.execute("DELETE FROM sources")
    assert count(database) == 0


def test_more_threads_than_connections_all_read(database: Database) -> None:
    insert(database, "a")
    with ThreadPoolExecutor(3 * READERS) as pool:
        assert list(pool.map(lambda _: count(database), range(200))) == [1] * 200


def test_a_database_of_a_newer_version_is_refused(database: Database, path: Path) -> None:
    database.close()
    with sqlite3.connect(path) as newer:
        newer.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    newer.close()
    with pytest.raises(StorageUnavailable, match="newer version"):
        Database(path)


def first_version(path: Path, metadata: str) -> None:
    """A file as the first version of Gemello wrote it, with one image."""
    old = sqlite3.connect(path)
    old.executescript(schema._FIRST)
    old.execute(
        "INSERT INTO images (id, sha256, filename, label, metadata, width, height, media_type,"
        " bytes, created_at) VALUES ('a', 's', 'a.png', 'shoe', ?, 1, 1, 'image/png', 1, 'now')",
        (metadata,),
    )
    old.execute("PRAGMA user_version = 1")
    old.commit()
    old.close()


def test_a_file_of_the_first_version_is_upgraded_and_can_be_filtered(path: Path) -> None:
    first_version(path, json.dumps({"price": 5}))
    database = Database(path)
    store = LocalGalleryStore(database)
    for text, expected in [('{"price": {"gte": 5}}', ["a"]), ('{"label": "hat"}', [])]:
        assert [r.id for r in store.page(0, 10, parse_filter(text))] == expected
    database.close()
    Database(path).close()


def test_an_upgrade_whose_commit_fails_can_be_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(sqlite3.Connection):
        def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
            if sql == "COMMIT":
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *values)

    connect = sqlite3.connect
    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", partial(connect, factory=Failing))
        with pytest.raises(StorageUnavailable, match="disk"):
            Database(path)
    database = Database(path)
    insert(database, "a")
    assert count(database) == 1
    database.close()


def test_a_record_of_an_older_file_that_cannot_be_read_is_set_aside(path: Path) -> None:
    first_version(path, "{cut sh")
    database = Database(path)
    store = LocalGalleryStore(database)
    assert store.page(0, 10) == []
    found = {(each.kind, each.item, each.mended) for each in store.check(lambda: False) if each}
    assert found == {("record", "no. 1", False)}
    database.close()


def test_an_upgrade_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_version(path, "{}")

    def broken(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    with monkeypatch.context() as patched:
        patched.setattr(schema, "put_facts", broken)
        with pytest.raises(StorageUnavailable, match="disk"):
            Database(path)
    with sqlite3.connect(path) as old:
        assert old.execute("PRAGMA user_version").fetchone() == (1,)
    old.close()
    Database(path).close()


@pytest.mark.parametrize(
    "content", [b"this is not a database" * 1000, b"SQLite format 3\0" + b"x" * 9000]
)
def test_a_file_that_is_not_a_database_is_our_error(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseDamaged, match="not a database"):
        Database(path)


def test_a_file_that_was_cut_is_refused_in_a_sentence(path: Path) -> None:
    database = Database(path)
    with database.transaction() as db:
        db.executemany(
            "INSERT INTO sources VALUES (?, 1, 1)", [(f"{n:0100}",) for n in range(1000)]
        )
    database.close()
    path.write_bytes(path.read_bytes()[:50_000])
    with pytest.raises(DatabaseDamaged, match="gallery restore"):
        Database(path)


def test_a_folder_in_its_place_is_our_error(path: Path) -> None:
    path.mkdir()
    with pytest.raises(StorageUnavailable, match="unable to open"):
        Database(path)


def test_reads_of_everything_are_few_and_end(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_module, "_TURN_S", 0.1)
    monkeypatch.setattr(database_module, "_COSTLY_S", 0.2)
    endless = (
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    )
    with (
        pytest.raises(ParameterInvalid, match="filter: it takes too long"),
        database.reading_much("filter") as db,
    ):
        db.execute(endless).fetchone()
    with database.reading_much("filter"), database.reading_much("filter"):
        with pytest.raises(Overloaded), database.reading_much("filter"):
            pass
        with database.reading() as db:
            assert db.execute("SELECT 1").fetchone() == (1,)
    with database.reading_much("filter") as db:
        assert db.execute("SELECT 1").fetchone() == (1,)
