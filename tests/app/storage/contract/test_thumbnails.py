"""What every store of thumbnails does."""

from app.storage.blob_store import digest_of
from app.storage.thumbnail_store import SIDES, ThumbnailStore
from tests.support.images import picture

ONE, OTHER = digest_of(b"one"), digest_of(b"other")


def test_a_thumbnail_comes_back_by_its_image_and_size(thumbnails: ThumbnailStore) -> None:
    assert thumbnails.get(ONE, 64) is None
    small, large = picture(1, "WEBP"), picture(2, "WEBP")
    thumbnails.put(ONE, 64, small)
    thumbnails.put(ONE, 128, large)
    thumbnails.put(ONE, 128, large)
    assert (thumbnails.get(ONE, 64), thumbnails.get(ONE, 128)) == (small, large)
    assert thumbnails.get(ONE, 256) is None
    assert thumbnails.get(OTHER, 64) is None


def test_all_of_an_image_are_removed_and_no_others(thumbnails: ThumbnailStore) -> None:
    for side in SIDES:
        thumbnails.put(ONE, side, picture(1, "WEBP"))
        thumbnails.put(OTHER, side, picture(2, "WEBP"))
    thumbnails.delete(ONE)
    thumbnails.delete(ONE)
    assert [thumbnails.get(ONE, side) for side in SIDES] == [None] * len(SIDES)
    assert [thumbnails.get(OTHER, side) for side in SIDES] == [picture(2, "WEBP")] * len(SIDES)
