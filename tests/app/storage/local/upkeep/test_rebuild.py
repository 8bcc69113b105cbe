"""A database made anew from what lies on the disk."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.storage.local.upkeep.rebuild import rebuild
from app.storage.local.upkeep.verification import verify
from app.storage.records import ImageRecord
from tests.support.data_folders import blob, filled, records, tamper
from tests.support.galleries import new, opened
from tests.support.images import picture

SPOILT = [
    lambda f: (f / "gallery.sqlite3").unlink(),
    lambda f: (f / "gallery.sqlite3").write_bytes(b""),
    lambda f: (f / "gallery.sqlite3").write_bytes(b"not a database" * 1000),
    lambda f: tamper(f, "DELETE FROM images"),
    lambda f: None,
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_every_record_is_back_whatever_became_of_the_database(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    before = filled(tmp_path)
    spoil(tmp_path)
    made = rebuild(tmp_path)
    assert (made.images, made.unknown, made.lost, made.unreadable) == (4, 0, [], [])
    assert list(verify(tmp_path)) == []
    assert records(tmp_path) == before


def test_what_was_removed_and_replaced_stays_so(tmp_path: Path) -> None:
    filled(tmp_path)
    with opened(tmp_path) as parts:
        parts.gallery.remove("a")
        parts.gallery.add([new(7, "c", label="other")], "replace")
        before = parts.gallery.list_images()
    (tmp_path / "gallery.sqlite3").unlink()
    assert rebuild(tmp_path).images == 3
    assert records(tmp_path) == before


def test_a_cut_database_without_a_journal_gives_what_it_can(tmp_path: Path) -> None:
    filled(tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    path = tmp_path / "gallery.sqlite3"
    path.write_bytes(path.read_bytes()[:-8192])
    made = rebuild(tmp_path)
    assert made.images == 4
    assert list(verify(tmp_path)) == []
    assert {record.sha256 for record in records(tmp_path)} == {
        blob(tmp_path, n).name for n in range(4)
    }


def test_without_anything_but_images_their_ids_come_from_their_bytes(tmp_path: Path) -> None:
    before = filled(tmp_path)
    (tmp_path / "journal.jsonl").unlink()
    (tmp_path / "gallery.sqlite3").unlink()
    stray = tmp_path / "blobs" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"neither an image nor what its name says")
    made = rebuild(tmp_path)
    assert (made.images, made.unknown, made.unreadable, made.old) == (4, 4, ["ab" * 32], None)

    def bare(record: ImageRecord) -> ImageRecord:
        plain = replace(record, label=None, filename=None, metadata={}, position=0, created_at="")
        return replace(plain, id=record.sha256[:32])

    expected = sorted((bare(record) for record in before), key=lambda record: record.id)
    assert sorted(map(bare, records(tmp_path)), key=lambda record: record.id) == expected


def test_a_record_whose_image_is_gone_is_named(tmp_path: Path) -> None:
    filled(tmp_path)
    blob(tmp_path, 1).unlink()
    made = rebuild(tmp_path)
    assert (made.images, made.lost) == (3, ["b"])
    assert [record.id for record in records(tmp_path)] == ["a", "c", "d"]


def test_an_image_that_was_set_aside_keeps_its_record(tmp_path: Path) -> None:
    before = filled(tmp_path)
    with opened(tmp_path) as parts:
        parts.stores.blobs.quarantine(blob(tmp_path, 1).name)
    (tmp_path / "gallery.sqlite3").unlink()
    assert rebuild(tmp_path).lost == []
    assert records(tmp_path) == before


def test_an_image_that_lost_its_last_record_gets_one(tmp_path: Path) -> None:
    """A crash between the replacement of a picture and the removal of the old one."""
    filled(tmp_path)
    old = blob(tmp_path, 1).read_bytes()
    with opened(tmp_path) as parts:
        parts.gallery.add([new(8, "b")], "replace")
    blob(tmp_path, 1).write_bytes(old)
    (tmp_path / "gallery.sqlite3").unlink()
    assert rebuild(tmp_path).images == 5
    found = {record.sha256: record for record in records(tmp_path)}
    name = blob(tmp_path, 1).name
    assert (found[name].id, found[name].label) == (name[:32], "label 1")
    assert found[blob(tmp_path, 8).name].id == "b"


def test_the_old_database_is_kept_and_a_second_time_changes_nothing(tmp_path: Path) -> None:
    before = filled(tmp_path)
    saved = (tmp_path / "gallery.sqlite3").read_bytes()
    made = rebuild(tmp_path)
    assert made.old is not None
    assert made.old.read_bytes() == saved
    shutil.rmtree(tmp_path / "quarantine", ignore_errors=True)
    assert rebuild(tmp_path).images == 4
    assert records(tmp_path) == before
    with opened(tmp_path) as parts:
        assert parts.gallery.image("a")[1] == picture(0)
