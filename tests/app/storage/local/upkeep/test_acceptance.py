"""The answer to a start that was refused: go on with what there is."""

from pathlib import Path

import pytest

from app.errors import DatabaseDamaged, DatabaseOutdated
from app.storage.local.stores import open_database
from app.storage.local.upkeep.acceptance import accept
from app.storage.local.upkeep.verification import verify
from tests.support.data_folders import filled, records, tamper
from tests.support.galleries import new, opened, stored_files


def test_an_older_database_is_taken_as_it_is(tmp_path: Path) -> None:
    before = filled(tmp_path)
    saved = (tmp_path / "gallery.sqlite3").read_bytes()
    with opened(tmp_path) as parts:
        parts.gallery.add([new(8, "e")])
        parts.gallery.add([new(9, "f")])
    (tmp_path / "gallery.sqlite3").write_bytes(saved)
    with pytest.raises(DatabaseOutdated):
        records(tmp_path)
    assert accept(tmp_path) == (4, 2)
    assert records(tmp_path) == before
    with opened(tmp_path) as parts:
        assert parts.gallery.quarantined() == 2
        parts.gallery.add([new(8, "e")])
    assert list(verify(tmp_path)) == []


@pytest.mark.parametrize("content", [None, b"", b"not a database" * 1000])
def test_an_empty_gallery_begins_and_every_image_is_kept(
    tmp_path: Path, content: bytes | None
) -> None:
    filled(tmp_path)
    files = stored_files(tmp_path)
    path = tmp_path / "gallery.sqlite3"
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(DatabaseDamaged, match="gemello gallery accept"):
        open_database(tmp_path)
    assert accept(tmp_path) == (0, 4)
    assert records(tmp_path) == []
    assert sorted(p.name for p in (tmp_path / "quarantine").rglob("*") if p.is_file()) == files
    kept = [p.read_bytes() for p in tmp_path.glob("gallery.sqlite3.*")]
    assert kept == ([content] if content else [])


def test_records_that_were_lost_are_no_longer_named(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"")
    tamper(tmp_path, "UPDATE images SET width = 1 WHERE id = 'c'")
    assert len(records(tmp_path)) == 3
    assert [each.kind for each in verify(tmp_path)] == ["record"]
    accept(tmp_path)
    assert list(verify(tmp_path)) == []
