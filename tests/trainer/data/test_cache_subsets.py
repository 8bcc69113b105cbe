"""Parts of a cache: chosen images, classes of two images and more, and no more than a number."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.support.drawings import draw_classes
from trainer.data import cache
from trainer.data.records import Record, read_data


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return read_data(draw_classes(tmp_path / "images", 4, 3))


def open_counted(records: list[Record], folder: Path) -> tuple[cache.ImageCache, int]:
    done: list[int] = []
    return cache.open_cache(records, 32, folder, done.append), sum(done)


def test_a_subset_holds_the_chosen_alone(records: list[Record], tmp_path: Path) -> None:
    records[0].path.write_bytes(b"no image")
    records[4].path.unlink()
    cached, _ = open_counted(records, tmp_path / "cache")
    chosen = cached.subset(np.array([8, 0, 3]))
    assert chosen.records == [cached.records[i] for i in (8, 0, 3)]
    assert np.array_equal(chosen.images[:], cached.images[[8, 0, 3]])
    assert np.array_equal(chosen.metadata[:], cached.metadata[:][[8, 0, 3]])
    assert chosen.content != cached.content
    # class000 and class001 have lost one image of three, and the first of them now another.
    kept, single = cache.without_single_images(cached.subset(np.arange(1, 10)))
    assert single == 1
    assert "class000" not in {r.label for r in kept.records}
    assert len(kept.images) == len(kept.records) == 8


def test_at_most_draws_whole_classes(tmp_path: Path) -> None:
    draw_classes(tmp_path / "images", 30, 3)
    cached, _ = open_counted(read_data(tmp_path / "images"), tmp_path / "cache")
    assert cache.at_most(cached, 90, seed=0) is cached
    drawn = cache.at_most(cached, 50, seed=0)
    counts = Counter(record.label for record in drawn.records)
    assert set(counts.values()) == {3}
    assert len(counts) == 16
    assert drawn.records == cache.at_most(cached, 50, seed=0).records
    assert drawn.records != cache.at_most(cached, 50, seed=1).records
    assert np.array_equal(
        drawn.images[:], cached.images[[cached.records.index(r) for r in drawn.records]]
    )


def test_at_most_leaves_room_for_a_second_class(tmp_path: Path) -> None:
    draw_classes(tmp_path / "images", 2, 30)
    cached, _ = open_counted(read_data(tmp_path / "images"), tmp_path / "cache")
    drawn = cache.at_most(cached, 20, seed=0)
    assert sorted(Counter(record.label for record in drawn.records).values()) == [10, 10]
