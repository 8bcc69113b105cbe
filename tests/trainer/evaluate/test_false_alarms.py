"""False alarms by gallery size."""

import numpy as np
import pytest

from tests.support.tiny_model import CALIBRATION
from trainer.evaluate.false_alarms import false_alarms, nearest


def test_the_nearest_equals_a_naive_loop() -> None:
    rng = np.random.default_rng(0)
    queries, gallery = (rng.normal(size=(n, 5)).astype(np.float32) for n in (7, 30))
    naive = [min(float(np.linalg.norm(q - g)) for g in gallery) for q in queries]
    assert nearest(queries, gallery) == pytest.approx(naive, abs=1e-4)


def test_labels_hold_the_rate_and_a_foreign_calibration_need_not() -> None:
    rng = np.random.default_rng(0)
    centres = np.repeat(rng.normal(size=(160, 16)), 5, axis=0)
    vectors = (centres + 0.5 * rng.normal(size=centres.shape)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.repeat([f"c{i}" for i in range(160)], 5).astype(object)
    small, _, middle, large = false_alarms(CALIBRATION, vectors, labels, 0)
    assert [row.images for row in (small, middle, large)] == [10, 100, 300]
    assert small.gallery is None
    assert large.gallery is not None
    assert 0 <= large.gallery < 0.12
    assert large.model == 0
    assert false_alarms(None, vectors, labels, 0)[0].model is None
    assert false_alarms(CALIBRATION, vectors[:5], labels[:5], 0) == []
