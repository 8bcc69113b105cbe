"""Thumbnails of a gallery: made once, kept, removed with their image."""

import io
from pathlib import Path

import pytest
from PIL import Image

from app.errors import StorageUnavailable
from app.inference.decode_pool import DecodePool
from app.storage.thumbnail_store import SIDES
from tests.support.galleries import Parts, new, opened


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sides of the thumbnails that were decoded."""
    sides: list[int] = []
    thumbnail = DecodePool.thumbnail

    def counted(pool: DecodePool, data: bytes, side: int, **options: object) -> bytes:
        sides.append(side)
        return thumbnail(pool, data, side)

    monkeypatch.setattr(DecodePool, "thumbnail", counted)
    return sides


def kept(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "thumbnails").rglob("*") if path.is_file())


def test_each_size_is_made_once_and_others_are_rounded_up(parts: Parts, made: list[int]) -> None:
    parts.gallery.add([new(1, "a")])
    for asked, side in ((16, 64), (64, 64), (65, 128), (300, 512), (1024, 1024)):
        for _ in range(3):
            _, data = parts.gallery.thumbnail("a", asked)
            image = Image.open(io.BytesIO(data))
            assert (image.format, image.width) == ("WEBP", min(side, 96))
    assert made == [64, 128, 512, 1024]


def test_they_outlive_a_restart_and_lost_ones_are_made_again(
    tmp_path: Path, made: list[int]
) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a")])
        first = parts.gallery.thumbnail("a", 64)
    with opened(tmp_path) as parts:
        assert parts.gallery.thumbnail("a", 64) == first
        assert made == [64]
        for path in (tmp_path / "thumbnails").rglob("*.webp"):
            path.unlink()
        assert parts.gallery.thumbnail("a", 64) == first
    assert made == [64, 64]


def test_they_go_with_the_last_image_of_the_same_bytes(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a"), new(1, "b"), new(2, "c")])
        for side in SIDES:
            parts.gallery.thumbnail("a", side)
        parts.gallery.remove("a")
        assert len(kept(tmp_path)) == len(SIDES)
        parts.gallery.add([new(3, "b")], "replace")
        assert kept(tmp_path) == []


def test_one_that_is_made_while_its_image_is_removed_does_not_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    thumbnail = DecodePool.thumbnail
    with opened(tmp_path) as parts:

        def removed_meanwhile(pool: DecodePool, data: bytes, side: int, **_: object) -> bytes:
            parts.gallery.remove("a")
            return thumbnail(pool, data, side)

        parts.gallery.add([new(1, "a")])
        monkeypatch.setattr(DecodePool, "thumbnail", removed_meanwhile)
        assert parts.gallery.thumbnail("a", 64)[1]
        assert kept(tmp_path) == []


def test_a_missing_image_is_an_error_unless_its_thumbnail_is_there(parts: Parts) -> None:
    parts.gallery.add([new(1, "a")])
    small = parts.gallery.thumbnail("a", 64)
    parts.stores.blobs.delete(parts.gallery.get("a").sha256)
    assert parts.gallery.thumbnail("a", 64) == small
    with pytest.raises(StorageUnavailable):
        parts.gallery.thumbnail("a", 128)
