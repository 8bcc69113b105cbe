"""Mining against naive loops, and where it has nothing to mine."""

import math
from collections.abc import Callable

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.losses.batches import MARGIN, labels, mean, measured, seeds, unit
from trainer.losses.distances import pair_masks, pairwise
from trainer.losses.triplet import (
    SOFT_SCALE,
    TripletLoss,
    all_triplets,
    batch_hard,
    distance_weighted,
    draw_negatives,
    semi_hard,
)

Matrix = np.ndarray
margins = st.sampled_from([0.05, MARGIN, 1.0, None])


def term(difference: float, margin: float | None) -> tuple[float, bool]:
    if margin is None:
        return math.log1p(math.exp(SOFT_SCALE * difference)) / SOFT_SCALE, difference > -0.2
    return max(0.0, difference + margin), difference + margin > 0


def stats(terms: list[tuple[float, bool]]) -> tuple[float, float]:
    return mean([loss for loss, _ in terms]), mean([active for _, active in terms])


def naive_all(d: Matrix, p: Matrix, n: Matrix, margin: float | None) -> tuple[float, float]:
    size = range(len(d))
    terms = [
        term(d[a, i] - d[a, j], margin)
        for a in size
        for i in size
        if p[a, i]
        for j in size
        if n[a, j]
    ]
    return mean([loss for loss, _ in terms if loss > 0]), mean([active for _, active in terms])


def naive_semi_hard(d: Matrix, p: Matrix, n: Matrix, margin: float | None) -> tuple[float, float]:
    terms = []
    for a in range(len(d)):
        negatives = [d[a, j] for j in range(len(d)) if n[a, j]]
        for i in range(len(d)):
            if p[a, i] and negatives:
                outside = [x for x in negatives if x > d[a, i]]
                terms.append(term(d[a, i] - (min(outside) if outside else max(negatives)), margin))
    return stats(terms)


def naive_batch_hard(d: Matrix, p: Matrix, n: Matrix, margin: float | None) -> tuple[float, float]:
    terms = []
    for a in range(len(d)):
        positives = [d[a, i] for i in range(len(d)) if p[a, i]]
        negatives = [d[a, j] for j in range(len(d)) if n[a, j]]
        if positives and negatives:
            terms.append(term(max(positives) - min(negatives), margin))
    return stats(terms)


@settings(deadline=None, max_examples=60)
@given(labels, seeds, margins)
def test_mining_equals_a_naive_loop(y: np.ndarray, seed: int, margin: float | None) -> None:
    batch = measured(y, seed)
    for mine, naive in (
        (all_triplets, naive_all),
        (semi_hard, naive_semi_hard),
        (batch_hard, naive_batch_hard),
    ):
        found = mine(*batch, margin)
        loss, active = naive(*batch, margin)
        assert float(found.loss) == pytest.approx(loss, abs=1e-5)
        assert float(found.active) == pytest.approx(active, abs=1e-5)


def test_references_may_be_others_than_the_anchors() -> None:
    rng = np.random.default_rng(5)
    distances = rng.random((3, 8)).astype(np.float32)
    kind = rng.integers(0, 3, (3, 8))
    for mine, naive in ((all_triplets, naive_wide_all), (batch_hard, naive_wide_hard)):
        found = mine(distances, kind == 0, kind == 1, MARGIN)
        assert float(found.loss) == pytest.approx(naive(distances, kind), abs=1e-5)


def naive_wide_all(d: Matrix, kind: Matrix) -> float:
    terms = [
        max(0.0, d[a, i] - d[a, j] + MARGIN)
        for a in range(3)
        for i in range(8)
        for j in range(8)
        if kind[a, i] == 0 and kind[a, j] == 1
    ]
    return mean([t for t in terms if t > 0])


def naive_wide_hard(d: Matrix, kind: Matrix) -> float:
    return mean(
        [
            max(0.0, max(d[a][kind[a] == 0]) - min(d[a][kind[a] == 1]) + MARGIN)
            for a in range(3)
            if (kind[a] == 0).any() and (kind[a] == 1).any()
        ]
    )


def test_distance_weighted_draws_as_often_as_the_density_says() -> None:
    row = np.array([0.3, 0.5, 0.8, 1.1, 1.3, 1.7, 0.9], np.float32)
    negative = np.array([True] * 6 + [False])
    dimension, count = 5, 20_000

    def weight(d: float) -> float:
        d = min(max(d, 0.5), math.sqrt(2))
        return 1 / (d ** (dimension - 2) * (1 - d**2 / 4) ** ((dimension - 3) / 2))

    weights = np.array([weight(float(d)) if n else 0.0 for d, n in zip(row, negative, strict=True)])
    expected = weights / weights.sum()
    seed = keras.random.SeedGenerator(1)
    drawn = np.array(draw_negatives(row[None], negative[None], count, dimension, seed))
    seen = np.bincount(drawn[0], minlength=7) / count
    # Five standard deviations.
    assert (np.abs(seen - expected) <= 5 * np.sqrt(expected * (1 - expected) / count)).all()
    assert seen[-1] == 0


def test_distance_weighted_pairs_each_positive_with_its_negative() -> None:
    # In 256 dimensions the chance of the nearer negative is 1 to any precision.
    distances = np.array([[0.0, 0.6, 0.8, 0.7, 1.2], [0.6, 0.0, 0.5, 1.3, 0.9]], np.float32)
    positives = np.array([[0, 1, 1, 0, 0], [1, 0, 1, 0, 0]], bool)
    negatives = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 1]], bool)
    seed = keras.random.SeedGenerator(0)
    found = distance_weighted(distances, positives, negatives, 0.2, dimension=256, seed=seed)
    assert float(found.loss) == pytest.approx(np.mean([0.1, 0.3, 0.0, 0.0]), abs=1e-6)
    assert float(found.active) == 0.5


def test_draws_differ_from_step_to_step_and_follow_the_seed() -> None:
    positives, negatives = pair_masks(np.arange(40) % 8)

    def losses(seed: int) -> list[float]:
        layer = TripletLoss(1.0, "distance_weighted", seed=seed)
        step = tf.function(lambda: layer.compare(x, x, positives, negatives).loss)
        return [float(step()) for _ in range(3)]

    x = unit(40, 3)
    assert losses(1) == losses(1)
    assert losses(1) != losses(2)
    assert len(set(losses(1))) == 3


def weighted(d: Matrix, p: Matrix, n: Matrix, margin: float | None) -> tuple[object, object]:
    seed = keras.random.SeedGenerator(0)
    return distance_weighted(d, p, n, margin, dimension=4, seed=seed)


MINERS = [all_triplets, semi_hard, batch_hard, weighted]


@pytest.mark.parametrize("mine", MINERS)
@pytest.mark.parametrize("y", [[0, 0, 0], [0, 1, 2], [0]])
@pytest.mark.parametrize("margin", [MARGIN, None])
def test_nothing_to_compare_costs_nothing(
    mine: Callable, y: list[int], margin: float | None
) -> None:
    x = tf.Variable(unit(len(y), 0))
    with tf.GradientTape() as tape:
        loss, active = mine(pairwise(x, x), *pair_masks(tf.constant(y)), margin)
    assert (float(loss), float(active)) == (0, 0)
    assert not np.any(tape.gradient(loss, x))


@pytest.mark.parametrize("mine", MINERS)
@pytest.mark.parametrize("margin", [MARGIN, None])
@pytest.mark.parametrize("noise", [0.0, 1e-7, 1e-5])
def test_a_batch_of_duplicates_has_a_small_finite_gradient(
    mine: Callable, margin: float | None, noise: float
) -> None:
    change = noise * np.random.default_rng(0).normal(size=(6, 4))
    x = tf.Variable((np.ones((6, 4)) / 2 + change).astype(np.float32))
    y = tf.constant([0, 0, 1, 1, 2, 2])
    with tf.GradientTape() as tape:
        loss, active = mine(pairwise(x, x), *pair_masks(y), margin)
    collapsed = math.log(2) / SOFT_SCALE if margin is None else margin
    assert float(loss) == pytest.approx(collapsed, abs=2e-3)
    assert float(active) == 1
    gradient = np.asarray(tape.gradient(loss, x))
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() < 1


@pytest.mark.parametrize("mine", MINERS)
def test_classes_far_apart_cost_nothing(mine: Callable) -> None:
    x = np.repeat(np.eye(3, 4, dtype=np.float32), 2, axis=0)
    y = tf.constant([0, 0, 1, 1, 2, 2])
    loss, active = mine(pairwise(x, x), *pair_masks(y), MARGIN)
    assert (float(loss), float(active)) == (0, 0)
    loss, active = mine(pairwise(x, x), *pair_masks(y), None)
    assert 0 < float(loss) < 1e-9
    assert float(active) == 0


@pytest.mark.parametrize("mine", MINERS)
@pytest.mark.parametrize("margin", [MARGIN, None])
def test_a_step_downhill_brings_positives_nearer(mine: Callable, margin: float | None) -> None:
    x = tf.Variable(unit(12, 4))
    positives, negatives = pair_masks(tf.constant(np.arange(12) % 3))

    def gap() -> float:
        distances = np.asarray(pairwise(x, x))
        return float(distances[np.array(negatives)].mean() - distances[np.array(positives)].mean())

    before = gap()
    for _ in range(60):
        with tf.GradientTape() as tape:
            loss, _ = mine(pairwise(x, x), positives, negatives, margin)
        x.assign(tf.math.l2_normalize(x - 0.3 * tape.gradient(loss, x), axis=1))
    assert gap() > before + 0.1


def test_an_unknown_mining_is_refused() -> None:
    with pytest.raises(ValueError, match="'hardest' is not a mining"):
        TripletLoss(mining="hardest")  # type: ignore[arg-type]
