"""Files that are set aside, and damaged ones that are mended."""

import sqlite3
from pathlib import Path

import pytest

from app.errors import ImageDamaged
from app.gallery.new_image import OnConflict
from app.storage.blob_store import digest_of
from tests.support.galleries import answers, new, opened, statuses, stored_files
from tests.support.images import picture


def test_a_file_without_a_record_is_set_aside_and_forgotten_after_some_days(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a")])
        stray = digest_of(picture(2))
        parts.stores.blobs.put(stray, picture(2))
    with opened(tmp_path) as parts:
        assert stored_files(tmp_path) == [digest_of(picture(1))]
        (item,) = parts.stores.blobs.quarantined()
        assert (item.digest, parts.gallery.quarantined()) == (stray, 1)
    folder = tmp_path / "quarantine"
    (folder / item.since.isoformat()).rename(folder / "2020-01-01")
    with opened(tmp_path) as parts:
        assert parts.gallery.quarantined() == 0
        assert list(folder.iterdir()) == []


def test_a_damaged_image_that_has_a_record_is_set_aside_for_as_long_as_that(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        digest = digest_of(picture(1))
        (tmp_path / "blobs" / digest[:2] / digest).write_bytes(b"spoilt")
        parts.stores.blobs.quarantine(digest)
        (item,) = parts.stores.blobs.quarantined()
    folder = tmp_path / "quarantine"
    (folder / item.since.isoformat()).rename(folder / "2020-01-01")
    with opened(tmp_path) as parts:
        assert parts.gallery.quarantined() == 1
        parts.gallery.remove("a")
        assert parts.gallery.quarantined() == 0, "who removes an image wants all of it gone"


@pytest.mark.parametrize("on_conflict", ["skip", "replace", "error"])
def test_adding_the_right_bytes_again_mends_a_damaged_file(
    tmp_path: Path, on_conflict: OnConflict
) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a")])
        digest = digest_of(picture(1))
        path = tmp_path / "blobs" / digest[:2] / digest
        spoilt = bytearray(path.read_bytes())
        spoilt[100] ^= 1
        path.write_bytes(spoilt)
        with pytest.raises(ImageDamaged):
            parts.gallery.image("a")
        parts.gallery.add([new(1, "a")], on_conflict)
        assert parts.gallery.image("a")[1] == picture(1)


def test_adding_an_image_again_gives_it_the_vector_that_it_lacks(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a")])
        digest = digest_of(picture(1))
        (tmp_path / "blobs" / digest[:2] / digest).unlink()
    with sqlite3.connect(tmp_path / "gallery.sqlite3") as db:
        db.execute("DELETE FROM vectors")
    db.close()
    with opened(tmp_path) as parts:
        assert len(parts.gallery) == 0
        assert statuses(parts.gallery.add([new(1, "a")])) == ["skipped"]
        assert [name for name, _ in answers(parts, 1)] == ["a"]
        assert parts.gallery.image("a")[1] == picture(1)
