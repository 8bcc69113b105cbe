"""Distances against loops, and their gradients where they are zero."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.losses.batches import cosine, euclidean, unit
from trainer.losses.distances import (
    cosine_similarity,
    mean_pairwise_distance,
    pair_masks,
    paired,
    pairwise,
)


def test_pairwise_distances_equal_a_naive_loop() -> None:
    x, references = 3 * unit(5, 1), unit(7, 2)
    expected = [[euclidean(a, b) for b in references] for a in x]
    assert np.allclose(pairwise(x, references), expected, atol=1e-5)
    cosines = [[cosine(a, b) for b in references] for a in x]
    assert np.allclose(cosine_similarity(x, references), cosines, atol=1e-5)
    rows = [euclidean(a, b) for a, b in zip(x, references, strict=False)]
    assert np.allclose(paired(x, references[:5]), rows, atol=1e-5)


def test_half_precision_is_measured_in_float32() -> None:
    x = unit(4, 3).astype(np.float16)
    assert pairwise(x, x).dtype == "float32"


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-5])
def test_a_batch_of_duplicates_has_a_small_finite_gradient(noise: float) -> None:
    # Near duplicates too: there a squared distance is nothing but rounding.
    change = noise * np.random.default_rng(0).normal(size=(6, 4))
    x = tf.Variable((np.ones((6, 4)) / 2 + change).astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        distances = pairwise(x, x)
        rows = paired(x[:3], x[3:])
    assert np.allclose(distances, 0, atol=1e-3)
    assert (np.asarray(distances) >= 0).all()
    for measured in (distances, rows):
        gradient = np.asarray(tape.gradient(measured, x))
        assert np.isfinite(gradient).all()
        # At most 1 for each of the ten pairs of a row.
        assert np.abs(gradient).max() <= 10


def test_the_mean_distance_shows_a_collapse() -> None:
    assert float(mean_pairwise_distance(tf.ones((4, 3)))) == 0
    assert float(mean_pairwise_distance(tf.ones((1, 3)))) == 0
    x = unit(6, 2)
    pairs = [euclidean(x[i], x[j]) for i in range(6) for j in range(6) if i != j]
    assert float(mean_pairwise_distance(tf.constant(x))) == pytest.approx(np.mean(pairs), abs=1e-5)


def test_a_place_is_no_pair_of_itself() -> None:
    positives, negatives = pair_masks(tf.constant([5, 7, 5]))
    assert np.array(positives).tolist() == [
        [False, False, True],
        [False, False, False],
        [True, False, False],
    ]
    assert np.array(negatives).tolist() == [
        [False, True, False],
        [True, False, True],
        [False, True, False],
    ]
