"""Losses and mining against naive loops, and their gradients where distances are zero."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer import losses

MARGIN = 0.2


def unit(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, 6))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a.astype(np.float64) - b) ** 2).sum()))


def naive_batch_hard(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    terms = []
    for i in range(len(x)):
        farthest = max(distance(x[i], x[j]) for j in range(len(x)) if y[j] == y[i])
        nearest = min(distance(x[i], x[j]) for j in range(len(x)) if y[j] != y[i])
        terms.append(max(0.0, farthest - nearest + MARGIN))
    return float(np.mean(terms)), float(np.mean([t > 0 for t in terms]))


def naive_semi_hard(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    terms = []
    for a in range(len(x)):
        negatives = [distance(x[a], x[n]) for n in range(len(x)) if y[n] != y[a]]
        for p in range(len(x)):
            if p == a or y[p] != y[a]:
                continue
            positive = distance(x[a], x[p])
            outside = [d for d in negatives if d > positive]
            chosen = min(outside) if outside else max(negatives)
            terms.append(max(0.0, positive - chosen + MARGIN))
    return float(np.mean(terms)), float(np.mean([t > 0 for t in terms]))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 4), st.integers(2, 4))
def test_mining_equals_a_naive_loop(seed: int, classes: int, images: int) -> None:
    x, y = unit(classes * images, seed), np.repeat(np.arange(classes), images)
    for mine, naive in (
        (losses.batch_hard, naive_batch_hard),
        (losses.semi_hard, naive_semi_hard),
    ):
        stats = mine(tf.constant(x), tf.constant(y), MARGIN)
        loss, active = naive(x, y)
        assert float(stats.loss) == pytest.approx(loss, abs=2e-4)
        assert float(stats.active) == pytest.approx(active, abs=1e-3)


def test_pairwise_distances_equal_a_naive_loop() -> None:
    x = unit(7, 1)
    expected = [[distance(a, b) for b in x] for a in x]
    assert np.allclose(losses.pairwise_distances(tf.constant(x)), expected, atol=1e-3)


@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-5])
def test_a_batch_of_duplicates_has_a_small_finite_gradient(noise: float) -> None:
    # Near duplicates too: there a squared distance is nothing but rounding.
    change = noise * np.random.default_rng(0).normal(size=(6, 4))
    x = tf.Variable((np.ones((6, 4)) / 2 + change).astype(np.float32))
    y = tf.constant([0, 0, 1, 1, 2, 2])
    for mine in (losses.batch_hard, losses.semi_hard):
        with tf.GradientTape() as tape:
            stats = mine(x, y, MARGIN)
        assert float(stats.loss) == pytest.approx(MARGIN, abs=2e-3)
        gradient = np.asarray(tape.gradient(stats.loss, x))
        assert np.isfinite(gradient).all()
        assert np.abs(gradient).max() < 1


def test_classes_far_apart_cost_nothing() -> None:
    x = tf.constant(np.repeat(np.eye(3, dtype=np.float32), 2, axis=0))
    y = tf.constant([0, 0, 1, 1, 2, 2])
    for mine in (losses.batch_hard, losses.semi_hard):
        stats = mine(x, y, MARGIN)
        assert (float(stats.loss), float(stats.active)) == (0.0, 0.0)


def test_the_mean_distance_shows_a_collapse() -> None:
    assert float(losses.mean_pairwise_distance(tf.ones((4, 3)))) == 0
    x = unit(6, 2)
    pairs = [distance(x[i], x[j]) for i in range(6) for j in range(6) if i != j]
    assert float(losses.mean_pairwise_distance(tf.constant(x))) == pytest.approx(
        np.mean(pairs), abs=1e-3
    )
