"""Multi-Similarity with its mining against a naive loop."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings

from tests.trainer.losses.batches import labels, mean, measured, seeds
from trainer.losses.distances import cosine_similarity, pair_masks
from trainer.losses.multi_similarity import multi_similarity


def naive(s: np.ndarray, p: np.ndarray, n: np.ndarray) -> tuple[float, float]:
    terms, active = [], []
    for a in range(len(s)):
        positives, negatives = s[a][p[a]].tolist(), s[a][n[a]].tolist()
        if not positives or not negatives:
            continue
        hard_positives = [x for x in positives if x - 0.1 < max(negatives)]
        hard_negatives = [x for x in negatives if x + 0.1 > min(positives)]
        pull = math.log(1 + sum(math.exp(-2 * (x - 0.5)) for x in hard_positives)) / 2
        push = math.log(1 + sum(math.exp(40 * (x - 0.5)) for x in hard_negatives)) / 40
        terms.append(pull + push)
        active.append(bool(hard_positives or hard_negatives))
    return mean(terms), mean(active)


@settings(deadline=None, max_examples=60)
@given(labels, seeds)
def test_multi_similarity_equals_a_naive_loop(y: np.ndarray, seed: int) -> None:
    distances, positives, negatives = measured(y, seed)
    similarities = 1 - distances**2 / 2
    stats = multi_similarity(similarities, positives, negatives)
    loss, active = naive(similarities, positives, negatives)
    assert float(stats.loss) == pytest.approx(loss, abs=1e-5)
    assert float(stats.active) == pytest.approx(active, abs=1e-5)


def test_classes_far_apart_are_not_mined() -> None:
    x = np.repeat(np.eye(3, dtype=np.float32), 2, axis=0)
    stats = multi_similarity(cosine_similarity(x, x), *pair_masks(np.array([0, 0, 1, 1, 2, 2])))
    assert (float(stats.loss), float(stats.active)) == (0, 0)


@pytest.mark.parametrize("y", [[0, 0, 1, 1], [0, 0, 0, 0], [0, 1, 2, 3]])
def test_duplicates_have_a_finite_gradient(y: list[int]) -> None:
    x = tf.Variable(np.ones((4, 4), np.float32) / 2)
    with tf.GradientTape() as tape:
        stats = multi_similarity(cosine_similarity(x, x), *pair_masks(tf.constant(y)))
    assert np.isfinite(stats.loss)
    assert np.isfinite(tape.gradient(stats.loss, x)).all()
