"""The fit of the tail of distances between images that do not match."""

import numpy as np
import pytest

from app.bundle.calibration import (
    MIN_IMAGES,
    fit_tail,
    nearest_non_matches,
    spread,
)
from app.bundle.margins import margins
from app.bundle.tail import allowed


def clusters(classes: int, images: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around a centre for each class, in no order, and their classes."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(classes, 16)), images, axis=0)
    vectors = centres + 0.6 * rng.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = rng.permutation(len(vectors))
    return vectors[order].astype(np.float32), order // images


def test_nearest_non_matches_equal_a_naive_loop() -> None:
    vectors, classes = clusters(12, 3, 0)
    found = nearest_non_matches(vectors, classes, 5)
    for query in range(5):
        others = sorted(
            float(np.linalg.norm(vectors[query] - vectors[other]))
            for other in range(len(vectors))
            if classes[other] != classes[query]
        )
        assert found[query] == pytest.approx(others[:24], abs=1e-4)
    few = nearest_non_matches(vectors[:10], classes[:10], 10)
    assert np.isinf(few[:, -1]).all()


@pytest.mark.parametrize("searched", [100, 400, 2000])
def test_false_alarms_of_unseen_classes_come_at_the_rate_that_is_allowed(searched: int) -> None:
    rates = []
    for seed in range(5):
        vectors, classes = clusters(900, 5, seed)
        inside = classes < 450
        gallery, queries = vectors[inside][:searched], vectors[~inside]
        tail = fit_tail(gallery, classes[inside][:searched])
        assert tail is not None
        least = np.linalg.norm(queries[:600, None] - gallery[None], axis=2).min(axis=1)
        rates.append((least <= tail.reach(allowed(0.05), searched)).mean())
    assert 0.015 < np.mean(rates) < 0.07


def test_a_sample_speaks_for_a_larger_gallery() -> None:
    vectors, classes = clusters(1600, 5, 1)
    inside = classes < 800
    gallery, queries = vectors[inside], vectors[~inside][:500]
    tail = fit_tail(gallery[:500], classes[inside][:500])
    assert tail is not None
    least = np.sqrt(np.maximum(2 - 2 * (queries @ gallery.T).max(axis=1), 0))
    assert 0.01 < (least <= tail.reach(allowed(0.05), len(gallery))).mean() < 0.1


def test_too_little_or_too_odd_gives_none() -> None:
    vectors, classes = clusters(40, 5, 0)
    assert fit_tail(vectors[: MIN_IMAGES - 1], classes[: MIN_IMAGES - 1]) is None
    assert fit_tail(vectors, np.zeros(len(vectors), np.int64)) is None, (
        "no image that does not match"
    )
    copies = fit_tail(np.ones((200, 4), np.float32), np.arange(200))
    assert copies is None or copies.reach(allowed(0.05), 200) < 1e-3


def test_the_spread_is_that_of_one_pair_in_ten() -> None:
    vectors, _ = clusters(20, 3, 0)
    apart = [float(np.linalg.norm(vectors[i] - vectors[j])) for i in range(60) for j in range(i)]
    assert spread(vectors) == pytest.approx(np.quantile(apart, 0.1), abs=1e-3)
    assert spread(vectors[:1]) == 0


def test_in_units_of_margins_a_querys_own_class_is_no_rival() -> None:
    vectors, classes = clusters(12, 3, 0)
    found = nearest_non_matches(vectors, classes, 4, margins(vectors, classes))
    for query in range(4):
        ratios = []
        for other in np.flatnonzero(classes != classes[query]):
            rivals = (classes != classes[query]) & (classes != classes[other])
            margin = np.linalg.norm(vectors[rivals] - vectors[other], axis=1).min()
            ratios.append(float(np.linalg.norm(vectors[query] - vectors[other]) / margin))
        assert found[query] == pytest.approx(sorted(ratios)[:24], rel=1e-3)
