"""Contrastive loss against a naive loop."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from tests.trainer.losses.batches import labels, mean, measured, seeds
from trainer.losses.contrastive import contrastive
from trainer.losses.distances import pair_masks, pairwise


@settings(deadline=None, max_examples=40)
@given(labels, seeds)
def test_contrastive_equals_a_naive_loop(y: np.ndarray, seed: int) -> None:
    distances, positives, negatives = measured(y, seed)
    pull, push, within = [], [], []
    for a in range(len(y)):
        for b in range(len(y)):
            d = float(distances[a, b])
            if a != b and y[a] == y[b]:
                pull.append(d**2)
            if y[a] != y[b]:
                within.append(float(d < 1.2))
                if d < 1.2:
                    push.append((1.2 - d) ** 2)
    stats = contrastive(distances, positives, negatives, 1.2)
    assert float(stats.loss) == pytest.approx((mean(pull) + mean(push)) / 2, abs=1e-5)
    assert float(stats.active) == pytest.approx(mean(within), abs=1e-5)


def test_duplicates_of_two_classes_have_a_finite_gradient() -> None:
    x = tf.Variable(np.ones((4, 4), np.float32) / 2)
    with tf.GradientTape() as tape:
        stats = contrastive(pairwise(x, x), *pair_masks(tf.constant([0, 0, 1, 1])), 0.5)
    assert float(stats.loss) == pytest.approx(0.125)
    assert np.isfinite(tape.gradient(stats.loss, x)).all()
