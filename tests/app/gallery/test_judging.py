"""Rows of a ranking in units of their images' margins."""

import numpy as np
import pytest

from app.gallery.calibration import judge
from app.gallery.judging import Judge
from app.gallery.ranking import Row
from app.gallery.sample import Sample, learn
from app.storage.memory import MemoryGalleryStore
from tests.support.records import record
from tests.support.tiny_model import CALIBRATION


def judging(sampled: int) -> Judge:
    """A gallery of 150 images with labels, of which the first are in the sample."""
    ids, labels = [f"id{i}" for i in range(150)], [f"c{i % 20}" for i in range(150)]
    vectors = np.random.default_rng(0).normal(size=(150, 8)).astype(np.float32)
    store = MemoryGalleryStore()
    store.load("m", 8)
    store.put(
        [record(each, label=label) for each, label in zip(ids, labels, strict=True)], vectors, "m"
    )
    sample = learn(ids[:sampled], [*labels][:sampled], vectors[:sampled])
    return Judge(store, "m", sample, judge(sample, CALIBRATION, 150))


def test_an_image_outside_the_sample_is_measured_against_it() -> None:
    some, every = judging(120), judging(150)
    labelled = some.sample.labelled
    assert labelled is not None
    rows = [Row("id3", 1.0), Row("id140", 1.0), Row("gone", 1.0)]
    inside, outside, gone = some.distances(rows)
    assert inside == pytest.approx(1 / labelled.known["id3"])
    assert gone == pytest.approx(1 / labelled.widest)
    known = every.sample.labelled
    assert known is not None
    assert outside <= 1 / known.known["id140"] + 1e-3, "fewer images leave more room"


def test_without_labels_distances_stay_as_they_are() -> None:
    plain = Judge(MemoryGalleryStore(), "m", Sample(), judge(Sample(), CALIBRATION, 5))
    assert plain.distances([Row("a", 0.5)]) == [0.5]
    assert plain.likely_from(0.5)(0.0) is True
    assert plain.likely_from(0.5)(9.0) is False


def test_no_row_is_likely_beyond_the_widest_margin() -> None:
    some = judging(150)
    rows = [Row(f"id{i}", 0.02 * i) for i in range(100)]
    kept = some.likely(0.3)(rows)
    assert 0 < len(kept) < len(rows)
    may = some.likely_from(0.3)
    assert all(may(row.distance) for row in kept)
