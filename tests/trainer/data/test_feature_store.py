"""Features on disk: made once, found again by another run, and whole after whatever ended one."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from app.images.prepare import Pixels
from tests.support.drawings import draw_classes
from trainer.data.cache import ImageCache, open_cache
from trainer.data.feature_store import FeatureStore
from trainer.data.records import read_data
from trainer.errors import DataError

WIDTH = 3


class Counting:
    """A mean colour for each image, and how many were asked for."""

    def __init__(self, fails_after: int | None = None) -> None:
        self.images, self._fails_after = 0, fails_after

    def __call__(self, images: Pixels) -> np.ndarray:
        if self._fails_after is not None and self.images >= self._fails_after:
            raise KeyboardInterrupt
        self.images += len(images)
        return images.mean(axis=(1, 2)).astype(np.float32)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> ImageCache:
    """Seventy images: two chunks."""
    folder = tmp_path_factory.mktemp("store")
    data = draw_classes(folder / "data", 35, 2)
    return open_cache(read_data(data), 32, folder / "cache", lambda _: None)


def rows(folder: Path, images: ImageCache, embed: Counting) -> np.ndarray:
    done: list[int] = []
    found = FeatureStore(folder, WIDTH).rows(images, embed, done.append)
    assert sum(done) == len(images.records) == len(found)
    return found[:]


def expected(images: ImageCache) -> np.ndarray:
    return images.images[:].mean(axis=(1, 2)).astype(np.float32)


def test_a_later_run_embeds_only_what_is_new(tmp_path: Path, cache: ImageCache) -> None:
    first, second = Counting(), Counting()
    some = cache.subset(np.arange(0, 70, 2))
    assert np.array_equal(rows(tmp_path, some, first), expected(some))
    assert np.array_equal(rows(tmp_path, cache, second), expected(cache))
    assert (first.images, second.images) == (35, 35)
    backwards = cache.subset(np.arange(70)[::-1])
    again = Counting()
    assert np.array_equal(rows(tmp_path, backwards, again), expected(backwards))
    assert again.images == 0


def test_what_was_made_before_an_interruption_stays(tmp_path: Path, cache: ImageCache) -> None:
    with pytest.raises(KeyboardInterrupt):
        rows(tmp_path, cache, Counting(fails_after=64))
    after = Counting()
    assert np.array_equal(rows(tmp_path, cache, after), expected(cache))
    assert after.images == 6


@pytest.mark.parametrize("file", ["vectors.bin", "keys.bin"])
def test_what_is_half_written_is_made_again(tmp_path: Path, cache: ImageCache, file: str) -> None:
    rows(tmp_path, cache, Counting())
    path = tmp_path / file
    path.write_bytes(path.read_bytes()[:-5])
    again = Counting()
    assert np.array_equal(rows(tmp_path, cache, again), expected(cache))
    assert again.images == 1


def test_no_images_have_no_features(tmp_path: Path, cache: ImageCache) -> None:
    assert rows(tmp_path, cache.subset(np.arange(0)), Counting()).shape == (0, WIDTH)


def test_two_runs_at_once_do_the_work_once(tmp_path: Path, cache: ImageCache) -> None:
    both = [Counting(), Counting()]
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda embed: rows(tmp_path, cache, embed), both))
    assert np.array_equal(found[0], found[1])
    assert sum(embed.images for embed in both) == 70


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path, cache: ImageCache) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(
        DataError, match=r"cannot be written to .*; name another folder with --cache"
    ):
        rows(tmp_path / "file" / "below", cache, Counting())
