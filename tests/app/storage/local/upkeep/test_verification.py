"""Everything in a data folder, held to its checksums."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import StorageUnavailable
from app.storage.local.upkeep.verification import verify
from tests.support.data_folders import blob, filled, tamper
from tests.support.galleries import opened


def found(folder: Path) -> list[tuple[str, str]]:
    return [(each.kind, each.item) for each in verify(folder)]


def contents(folder: Path) -> dict[str, str]:
    # SQLite's own two files beside the database come and go with whoever opens it.
    paths = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith(("-wal", "-shm"))]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def test_a_whole_folder_is_whole_and_stays_as_it_is(tmp_path: Path) -> None:
    filled(tmp_path)
    before = contents(tmp_path)
    seen: list[tuple[int, int]] = []
    assert list(verify(tmp_path, lambda done, total: seen.append((done, total)))) == []
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert contents(tmp_path) == before


def test_it_can_be_done_while_the_service_runs(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path) as parts:
        parts.gallery.update("a", {"label": "new"})
        assert found(tmp_path) == []


def _spoil_journal(folder: Path) -> None:
    path = folder / "journal.jsonl"
    path.write_bytes(path.read_bytes().replace(b"label 1", b"label 9", 1))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (lambda f: blob(f, 1).write_bytes(b"spoilt"), [("image", "b")]),
        (lambda f: blob(f, 1).unlink(), [("image", "b")]),
        (lambda f: tamper(f, "UPDATE images SET width = 1 WHERE id = 'c'"), [("record", "no. 3")]),
        (lambda f: tamper(f, "UPDATE vectors SET checksum = 1 WHERE position = 4"), ["vector"]),
        (_spoil_journal, [("journal", "journal.jsonl")]),
        (lambda f: (f / "journal.jsonl").write_bytes(b""), [("journal", "journal.jsonl")]),
        (lambda f: (f / "gallery.sqlite3").unlink(), [("database", "gallery.sqlite3")]),
        (lambda f: (f / "gallery.sqlite3").write_bytes(b"x" * 9999), ["database"]),
        (lambda f: tamper(f, "UPDATE choices SET value = 1 WHERE key = 'change'"), ["database"]),
    ],
)
def test_what_is_damaged_is_named(
    tmp_path: Path, spoil: Callable[[Path], object], expected: list[object]
) -> None:
    filled(tmp_path)
    spoil(tmp_path)
    named = found(tmp_path)
    assert [
        each if isinstance(one, tuple) else each[0]
        for one, each in zip(expected, named, strict=True)
    ] == expected


def test_a_record_that_was_set_aside_is_named(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"")
    tamper(tmp_path, "UPDATE images SET width = 1 WHERE id = 'c'")
    with opened(tmp_path) as parts:
        assert [record.id for record in parts.gallery.list_images()] == ["a", "b", "d"]
    assert ("record", "no. 3") in found(tmp_path)


def test_a_folder_of_an_older_version_is_left_as_it_is(tmp_path: Path) -> None:
    filled(tmp_path)
    tamper(tmp_path, "PRAGMA user_version = 3")
    with pytest.raises(StorageUnavailable, match="start the service once"):
        found(tmp_path)
