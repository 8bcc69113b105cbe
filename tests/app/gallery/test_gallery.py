"""The domain without HTTP: what is stored, what a taken id does, and pages of a search."""

from pathlib import Path

import pytest

from app.errors import (
    ImageConflict,
    ImageNotFound,
    ImageTypeUnsupported,
    ImageUndecodable,
)
from app.gallery import gallery as gallery_module
from app.gallery.gallery import Gallery
from app.gallery.new_image import NewImage, OnConflict
from app.storage.blob_store import digest_of
from app.storage.filters import parse_filter
from tests.support.galleries import Parts, answers, new, statuses, stored_files
from tests.support.images import picture


def test_an_image_is_stored_with_what_was_said_of_it(gallery: Gallery, parts: Parts) -> None:
    (result,) = gallery.add([new(1, filename="a.png", label="l", metadata={"price": 5})])
    record, data = gallery.image(str(result.id))
    assert result.id == digest_of(picture(1))[:32] == record.id
    assert (record.filename, record.label, record.metadata) == ("a.png", "l", {"price": 5})
    assert (record.width, record.height, record.bytes) == (96, 64, len(picture(1)))
    assert data == picture(1)
    assert answers(parts, 1)[0][1] < 1e-3


@pytest.mark.parametrize(
    ("on_conflict", "status", "kept"),
    [("skip", "skipped", 1), ("replace", "replaced", 2), ("error", "failed", 1)],
)
@pytest.mark.parametrize("calls", ["one", "two"])
def test_a_taken_id(
    gallery: Gallery,
    parts: Parts,
    tmp_path: Path,
    calls: str,
    on_conflict: OnConflict,
    status: str,
    kept: int,
) -> None:
    if calls == "one":
        results = gallery.add([new(1, "a"), new(2, "a")], on_conflict)
    else:
        results = gallery.add([new(1, "a")]) + gallery.add([new(2, "a")], on_conflict)
    assert statuses(results) == ["created", status]
    if status == "failed":
        assert isinstance(results[1].error, ImageConflict)
    assert gallery.image("a")[1] == picture(kept)
    assert stored_files(tmp_path) == [digest_of(picture(kept))]
    assert len(gallery) == 1
    assert answers(parts, kept)[0][1] < 1e-3


def test_replacing_back_and_forth_in_one_call_keeps_the_bytes(
    gallery: Gallery, tmp_path: Path
) -> None:
    gallery.add([new(1, "a")])
    results = gallery.add([new(2, "a"), new(1, "a")], "replace")
    assert statuses(results) == ["replaced", "replaced"]
    assert gallery.image("a")[1] == picture(1)
    assert stored_files(tmp_path) == [digest_of(picture(1))]


def test_what_is_no_image_does_not_stop_the_others(gallery: Gallery) -> None:
    results = gallery.add([new(1), NewImage(b"text"), NewImage(b""), new(2)])
    assert statuses(results) == ["created", "failed", "failed", "created"]
    assert isinstance(results[1].error, ImageTypeUnsupported)
    assert isinstance(results[2].error, ImageUndecodable)
    assert len(gallery) == 2
    assert statuses(gallery.add([NewImage(b"text")])) == ["failed"]
    assert gallery.add([]) == []


def test_two_ids_may_share_their_bytes(gallery: Gallery, tmp_path: Path) -> None:
    gallery.add([new(1, "a"), new(1, "b")])
    assert stored_files(tmp_path) == [digest_of(picture(1))]
    gallery.remove("a")
    assert gallery.image("b")[1] == picture(1)
    gallery.remove("b")
    assert stored_files(tmp_path) == []


def test_an_unknown_id_is_named(gallery: Gallery) -> None:
    for call in (gallery.get, gallery.image, gallery.remove):
        with pytest.raises(ImageNotFound, match="'none'"):
            call("none")


def test_ties_are_in_the_order_of_their_ids(gallery: Gallery, parts: Parts) -> None:
    gallery.add([new(1, name) for name in ("c", "a", "b")])
    assert [name for name, _ in answers(parts, 1)] == ["a", "b", "c"]


def test_pages_of_a_search(gallery: Gallery, parts: Parts) -> None:
    gallery.add([new(seed, f"id{seed}") for seed in range(7)])
    whole = [name for name, _ in answers(parts, 3)]
    first = parts.search(picture(3), 3)
    middle = parts.search(picture(3), 3, offset=3)
    last = parts.search(picture(3), 3, offset=6)
    pages = (first, middle, last)
    assert [m.image.id for page in pages for m in page.matches] == whole
    assert [page.next_offset for page in pages] == [3, 6, None]
    assert [m.rank for m in middle.matches] == [4, 5, 6]
    beyond = parts.search(picture(3), 3, offset=7)
    assert (beyond.matches, beyond.total, beyond.next_offset) == ([], 7, None)
    with pytest.raises(ImageTypeUnsupported):
        parts.search(b"text")


def test_removing_by_filter_holds_few_records_at_a_time(
    gallery: Gallery, parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gallery_module, "_REMOVED", 2)
    gallery.add([new(seed, f"id{seed}", metadata={"odd": seed % 2}) for seed in range(9)])
    assert gallery.remove_where(parse_filter('{"odd": 1}')) == 4
    assert [image.id for image in gallery.list_images()] == ["id0", "id2", "id4", "id6", "id8"]
    assert gallery.remove_where(parse_filter("{}")) == 5
    assert (answers(parts, 1), stored_files(tmp_path)) == ([], [])
