"""Thumbnails of files and of cached images: the same pictures, made once."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.drawings import draw
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import read_data
from trainer.report.thumbnails import SIDE, Thumbnails, from_cache, from_file

SHAPES = {"wide": (300, 120), "tall": (60, 200), "small": (40, 30), "thin": (900, 4)}


@pytest.fixture
def cache(tmp_path: Path) -> ImageCache:
    for name, shape in SHAPES.items():
        (tmp_path / "data" / name).mkdir(parents=True)
        draw(3, 0, 300).resize(shape).save(tmp_path / "data" / name / f"{name}.png")
    return open_cache(read_data(tmp_path / "data"), 128, tmp_path / "cache", lambda _: None)


def test_a_cached_image_has_its_own_shape_again(cache: ImageCache) -> None:
    thumbnails, read = Thumbnails(from_cache(cache)), Thumbnails()
    for record in cache.records:
        width, height = SHAPES[record.label]
        mine, theirs = thumbnails.image(record.path), read.image(record.path)
        assert mine is not None
        assert theirs is not None
        assert max(mine.size) == min(SIDE, max(width, height))
        assert np.abs(np.subtract(mine.size, theirs.size)).max() <= 1
        same = np.asarray(theirs.resize(mine.size)).astype(int)
        assert np.abs(np.asarray(mine).astype(int) - same).mean() < 12


def test_no_file_is_read_for_a_cached_image(cache: ImageCache) -> None:
    thumbnails = Thumbnails(from_cache(cache))
    for record in cache.records:
        record.path.unlink()
        assert thumbnails.uri(record.path)
        assert from_file(record.path) is None
    assert thumbnails.image(Path("elsewhere.png")) is None


def test_each_is_made_once() -> None:
    asked: list[Path] = []
    out = io.BytesIO()
    Image.new("RGB", (2, 2)).save(out, "WEBP")

    def source(path: Path) -> bytes:
        asked.append(path)
        return out.getvalue()

    thumbnails = Thumbnails(source)
    for _ in range(2):
        assert thumbnails.uri(Path("a"))
        assert thumbnails.image(Path("a"))
    assert asked == [Path("a")]
