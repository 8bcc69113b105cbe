"""The logistic function of greatest likelihood."""

import numpy as np
import pytest

from app.bundle.scoring import Scoring, fit_scoring


def test_a_probability_overflows_nowhere() -> None:
    scoring = Scoring(1.0, -2.0)
    found = [scoring.probability(value) for value in (-np.inf, -1e300, 0.5, 1e300, np.inf)]
    assert found == [1, 1, 0.5, 0, 0]


def test_the_fit_finds_the_function_that_the_matches_were_drawn_from() -> None:
    rng = np.random.default_rng(0)
    distances = rng.uniform(0, 2, 50_000)
    matches = rng.random(50_000) < 1 / (1 + np.exp(-(4 - 7 * distances)))
    fitted = fit_scoring(distances, matches)
    assert (fitted.intercept, fitted.slope) == pytest.approx((4, -7), rel=0.05)
    stretched = fit_scoring(distances * 1e4, matches)
    assert stretched.intercept == pytest.approx(fitted.intercept, rel=1e-3)
    assert stretched.slope == pytest.approx(fitted.slope / 1e4, rel=1e-3)


def test_the_fit_is_the_best_of_its_neighbourhood() -> None:
    rng = np.random.default_rng(1)
    distances, matches = rng.uniform(0, 2, 400), rng.random(400) < 0.3
    fitted = fit_scoring(distances, matches)

    def loss(intercept: float, slope: float) -> float:
        total, n1 = 0.0, int(matches.sum())
        for distance, match in zip(distances, matches, strict=True):
            p = 1 / (1 + np.exp(-(intercept + slope * distance)))
            t = (n1 + 1) / (n1 + 2) if match else 1 / (400 - n1 + 2)
            total -= t * np.log(p) + (1 - t) * np.log(1 - p)
        return total / 400

    best = loss(fitted.intercept, fitted.slope)
    for change in (-0.05, 0.05):
        assert loss(fitted.intercept + change, fitted.slope) > best
        assert loss(fitted.intercept, fitted.slope + change) > best


def test_distances_that_separate_perfectly_have_a_finite_fit() -> None:
    distances = np.array([0.1, 0.2] * 30 + [1.1, 1.2] * 30)
    fitted = fit_scoring(distances, distances < 1)
    assert np.isfinite([fitted.intercept, fitted.slope]).all()
    assert fitted.slope < 0
