"""What is learnt of a gallery, and when it is looked at again."""

import numpy as np
import pytest

from app.gallery import calibration
from app.gallery.calibration import Calibrator, Sample, judge, take_sample
from app.inference.batcher import Batcher
from app.inference.served_model import ServedModel
from app.storage.memory import MemoryGalleryStore
from app.testing import FakeEncoder, described
from tests.support.records import record
from tests.support.tiny_model import CALIBRATION

MODEL = "m"


def filled(labels: list[str | None], seed: int = 0) -> MemoryGalleryStore:
    store = MemoryGalleryStore()
    store.load(MODEL, 48)
    add(store, labels, seed)
    return store


def add(store: MemoryGalleryStore, labels: list[str | None], seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    start = store.count()
    records = [record(f"id{start + i}", label=label) for i, label in enumerate(labels)]
    store.put(records, rng.normal(size=(len(labels), 48)).astype(np.float32), MODEL)


def test_fewer_than_a_hundred_images_say_nothing() -> None:
    assert take_sample(filled([f"c{i % 20}" for i in range(99)]), MODEL) == Sample()


def test_labels_say_which_images_do_not_match() -> None:
    sample = take_sample(filled([f"c{i % 20}" for i in range(120)]), MODEL)
    assert sample.labelled is not None
    unlabelled = take_sample(filled([None] * 120), MODEL)
    assert unlabelled.labelled is None
    assert unlabelled.strangers is not None
    assert take_sample(filled([f"c{i % 4}" for i in range(120)]), MODEL).labelled is None


def test_the_gallery_comes_before_the_model() -> None:
    sample = take_sample(filled([f"c{i % 20}" for i in range(120)]), MODEL)
    own = judge(sample, CALIBRATION, 120)
    assert (own.source, own.bounds) == ("gallery", ((sample.labelled, 1.0),))
    few = judge(Sample(), CALIBRATION, 50)
    assert (few.source, few.bounds) == ("model", ((CALIBRATION.tail, 1.0),))
    assert judge(Sample(), None, 50).source is None


def test_without_labels_the_model_is_held_to_the_gallerys_scale() -> None:
    sample = Sample(spread=CALIBRATION.spread / 2)
    assert judge(sample, CALIBRATION, 120).bounds == ((CALIBRATION.tail, 2.0),)
    wider = Sample(spread=CALIBRATION.spread * 2)
    assert judge(wider, CALIBRATION, 120).bounds == ((CALIBRATION.tail, 1.0),)


def test_a_model_without_calibration_counts_all_as_strangers() -> None:
    sample = take_sample(filled([None] * 120), MODEL)
    verdict = judge(sample, None, 120)
    assert (verdict.source, verdict.bounds) == ("gallery", ((sample.strangers, 1.0),))
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
    calibrator = Calibrator(store, 0.1)
    try:
        assert calibrator.verdict(model, 100).false_alarms == 0.1
        assert calibrator.verdict(model, 100, 0.2).false_alarms == 0.2
        assert len(looks) == 1
        for _ in range(10):
            store.describe("id1", "other", {})
            calibrator.verdict(model, 100)
    finally:
        model.batcher.close()
    assert len(looks) > 1
    assert set(looks) == {model.id}
