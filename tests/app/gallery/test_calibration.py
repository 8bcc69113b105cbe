"""When a gallery is looked at again, and what is judged by what."""

import numpy as np
import pytest

from app.gallery import calibration
from app.gallery.calibration import Calibrator, judge, take_sample
from app.gallery.sample import Sample
from app.inference.batcher import Batcher
from app.inference.served_model import ServedModel
from app.storage.memory import MemoryGalleryStore
from app.testing import FakeEncoder, described
from tests.support.records import record
from tests.support.tiny_model import CALIBRATION

MODEL = "m"


def filled(labels: list[str | None]) -> MemoryGalleryStore:
    store = MemoryGalleryStore()
    store.load(MODEL, 48)
    records = [record(f"id{i}", label=label) for i, label in enumerate(labels)]
    vectors = np.random.default_rng(0).normal(size=(len(labels), 48))
    store.put(records, vectors.astype(np.float32), MODEL)
    return store


LABELLED = take_sample(filled([f"c{i % 20}" for i in range(120)]), MODEL)
UNLABELLED = take_sample(filled([None] * 120), MODEL)


def test_a_sample_is_of_the_images_that_the_model_knows() -> None:
    store = filled([f"c{i % 20}" for i in range(120)])
    store.load("other", 48)
    assert take_sample(store, "other") == Sample()
    assert LABELLED.labelled is not None
    assert len(LABELLED.labelled.vectors) == 120


def test_the_gallery_comes_before_the_model() -> None:
    assert LABELLED.labelled is not None
    own = judge(LABELLED, CALIBRATION, 120)
    assert (own.source, own.bounds) == ("gallery", (LABELLED.labelled.tail,))
    pair = judge(LABELLED, CALIBRATION, 1, pair=True)
    assert (pair.source, pair.bounds) == ("gallery", (LABELLED.labelled.pairs,))
    few = judge(Sample(), CALIBRATION, 50)
    assert (few.source, few.bounds) == ("model", (CALIBRATION.tail,))
    assert judge(Sample(), None, 50).source is None
    assert few.images == pair.images == 100, "few count as a hundred"


def test_without_labels_the_model_is_held_to_the_gallerys_scale() -> None:
    (tail,) = judge(Sample(spread=CALIBRATION.spread / 2), CALIBRATION, 120).bounds
    assert tail.distance == pytest.approx(CALIBRATION.tail.distance / 2)
    assert judge(Sample(spread=1.0), CALIBRATION, 120).bounds == (CALIBRATION.tail,)
    assert judge(UNLABELLED, CALIBRATION, 120).bounds[1:] == (UNLABELLED.strangers,)


def test_a_model_without_calibration_counts_all_as_strangers() -> None:
    verdict = judge(UNLABELLED, None, 120)
    assert (verdict.source, verdict.bounds) == ("gallery", (UNLABELLED.strangers,))
    assert verdict.score(0.1) is None


def test_the_gallery_is_looked_at_again_once_a_twentieth_has_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[str] = []

    def look(_: object, model_id: str) -> Sample:
        looks.append(model_id)
        return Sample()

    monkeypatch.setattr(calibration, "take_sample", look)
    store = filled([None] * 100)
    encoder = FakeEncoder()
    model = ServedModel(described(encoder), Batcher(encoder))
    store.load(model.id, encoder.dimension)
    records = store.page(0, 100)
    store.put_vectors(records, np.ones((100, encoder.dimension), np.float32), model.id)
    calibrator = Calibrator(store)
    try:
        for changes, expected in ((0, 1), (5, 1), (1, 2), (3, 2)):
            for _ in range(changes):
                store.describe("id1", "other", {})
            calibrator.sample(model)
            assert len(looks) == expected
        store.delete([f"id{i}" for i in range(10)])
        calibrator.sample(model)
    finally:
        model.batcher.close()
    assert looks == [model.id] * 3
