"""A copy of a data folder, and the way back."""

import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from app.errors import StorageUnavailable
from app.storage.blob_store import digest_of
from app.storage.local.upkeep import backup
from app.storage.local.upkeep.backup import copy_gallery
from app.storage.local.upkeep.verification import verify
from tests.support.data_folders import blob, filled, records, tamper
from tests.support.galleries import new, opened
from tests.support.images import picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    filled(tmp_path / "data")
    return tmp_path / "data"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    (tmp_path / "copy").mkdir()
    return tmp_path / "copy"


def test_the_copy_is_a_data_folder_with_the_same_images(folder: Path, copy: Path) -> None:
    assert copy_gallery(folder, copy) == []
    assert list(verify(copy)) == []
    assert records(copy) == records(folder)


def test_a_second_copy_takes_what_is_new(folder: Path, copy: Path) -> None:
    copy_gallery(folder, copy)
    kept = blob(copy, 0).stat().st_ino
    with opened(folder) as parts:
        parts.gallery.remove("b")
        parts.gallery.add([new(9, "new")])
        assert copy_gallery(folder, copy) == []
    assert [record.id for record in records(copy)] == ["a", "c", "d", "new"]
    assert blob(copy, 0).stat().st_ino == kept


def test_what_is_written_meanwhile_is_in_the_copy_whole_or_not_at_all(
    folder: Path, copy: Path
) -> None:
    done = threading.Event()
    with opened(folder) as parts:

        def churn() -> None:
            for seed in range(10, 60):
                parts.gallery.add([new(seed, f"moving{seed % 7}")], "replace")
                if seed % 3 == 0:
                    parts.gallery.remove(f"moving{seed % 7}")
            done.set()

        writer = threading.Thread(target=churn)
        writer.start()
        while not done.is_set():
            copy_gallery(folder, copy)
            assert list(verify(copy)) == []
            assert [record.id for record in records(copy)][:4] == ["a", "b", "c", "d"]
        writer.join()
        assert copy_gallery(folder, copy) == []
    assert records(copy) == records(folder)


def test_an_image_that_was_replaced_while_others_were_copied_is_copied_as_it_is_now(
    folder: Path, copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy_images = backup._copy_images
    with opened(folder) as parts:

        def later(*arguments: object) -> object:
            if parts.gallery.get("b").sha256 == digest_of(picture(1)):
                parts.gallery.add([new(8, "b")], "replace")
            return copy_images(*arguments)  # type: ignore[arg-type]

        monkeypatch.setattr(backup, "_copy_images", later)
        assert copy_gallery(folder, copy) == []
    assert {record.id: record.sha256 for record in records(copy)}["b"] == digest_of(picture(8))


@pytest.mark.parametrize("spoil", [lambda p: p.write_bytes(b"spoilt"), Path.unlink])
def test_a_damaged_image_is_named_and_the_others_are_copied(
    folder: Path, copy: Path, spoil: Callable[[Path], object]
) -> None:
    spoil(blob(folder, 1))
    assert [(each.kind, each.item) for each in copy_gallery(folder, copy)] == [("image", "b")]
    assert [(each.kind, each.item) for each in verify(copy)] == [("image", "b")]


def test_a_damaged_record_is_named_and_mended_at_the_start_of_the_copy(
    folder: Path, copy: Path
) -> None:
    before = records(folder)
    tamper(folder, "UPDATE images SET width = 1 WHERE id = 'c'")
    assert [(each.kind, each.item) for each in copy_gallery(folder, copy)] == [("record", "c")]
    assert records(copy) == before


def test_a_damaged_file_of_the_copy_is_mended(folder: Path, copy: Path) -> None:
    copy_gallery(folder, copy)
    spoilt = blob(copy, 2)
    spoilt.write_bytes(spoilt.read_bytes()[:-1] + b"x")
    assert copy_gallery(folder, copy) == []
    assert list(verify(copy)) == []


def test_the_way_back_keeps_the_database_that_was_there(folder: Path, copy: Path) -> None:
    before = records(folder)
    copy_gallery(folder, copy)
    with opened(folder) as parts:
        parts.gallery.remove("a")
        parts.gallery.add([new(9, "new")])
    assert copy_gallery(copy, folder, keep_old=True) == []
    assert records(folder) == before
    (old,) = [p for p in folder.glob("gallery.sqlite3.*") if p.suffix not in (".part",)]
    kept = sqlite3.connect(old)
    assert kept.execute("SELECT count(*) FROM images").fetchone() == (4,)
    kept.close()


@pytest.mark.parametrize("missing", [True, False])
def test_what_is_no_gallery_is_not_copied(folder: Path, copy: Path, missing: bool) -> None:
    if not missing:
        (copy / "gallery.sqlite3").touch()
    with pytest.raises(StorageUnavailable, match="holds no gallery"):
        copy_gallery(copy, folder, keep_old=True)
    assert len(records(folder)) == 4
