"""Bootstrap intervals of a mean over queries, and of the difference of two models.

Efron & Tibshirani, An Introduction to the Bootstrap (1993): percentile intervals, chapter 13;
clusters are drawn whole as in Davison & Hinkley, Bootstrap Methods and their Application (1997),
section 3.8.

Whole classes are drawn, not single queries: the queries of one class share their right answers,
so they succeed and fail together, and the question is how the model does on *other classes*.
Drawing single queries would take each for independent evidence and give intervals that are too
narrow. With one query per class the two are the same. ``scipy.stats.bootstrap`` draws single
values only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

RESAMPLES = 4000
_LEVEL = 0.95
# Drawn class numbers held at a time.
_DRAWN = 1 << 21


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Difference(Interval):
    """Mean of ``second − first`` with its 95 % interval and two-sided p-value."""

    p_value: float

    @property
    def shown(self) -> bool:
        """Whether the interval leaves out zero."""
        return self.low > 0 or self.high < 0


def interval(values: Values, classes: Sequence[Any] | npt.NDArray[Any], seed: int = 0) -> Interval:
    """Return the 95 % percentile interval of the mean of ``values`` [N], ``classes`` [N] being drawn whole.

    Where all values are of one class there is nothing to draw but the values themselves.
    Raises ``ValueError`` when there are none.
    """
    low, high = np.quantile(resampled_means(values, classes, seed), _tails())
    return Interval(float(np.mean(values)), float(low), float(high))


def difference(
    first: Values, second: Values, classes: Sequence[Any] | npt.NDArray[Any], seed: int = 0
) -> Difference:
    """Return the paired difference: the two models' figures [N] of the same queries are drawn together.

    The p-value inverts the percentile interval, 2 · min(P(d ≤ 0), P(d ≥ 0)) with one added to
    count and total (Davison & Hinkley, section 4.2.3), so it falls below 0.05 where the interval
    leaves out zero, give or take one draw. Raises ``ValueError`` as ``interval``.
    """
    if first.shape != second.shape:
        raise ValueError(f"the same queries are needed, got {first.shape} and {second.shape}")
    values = second - first
    means = resampled_means(values, classes, seed)
    low, high = np.quantile(means, _tails())
    # Sums of equal parts in another order may miss zero by a rounding.
    tails = int((means <= 1e-12).sum()), int((means >= -1e-12).sum())
    p_value = min(1.0, 2 * (min(tails) + 1) / (len(means) + 1))
    return Difference(float(np.mean(values)), float(low), float(high), p_value)


def resampled_means(
    values: Values,
    classes: Sequence[Any] | npt.NDArray[Any],
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Values:
    """Return means [resamples] over as many classes as there are, drawn with replacement.

    Each mean is over the queries of the drawn classes, so large classes weigh as much as in the
    mean itself. Equal seeds give equal draws. Raises ``ValueError`` when there are no values.
    """
    if not len(values) or len(values) != len(classes):
        raise ValueError(f"expected values with their classes, got {len(values)}, {len(classes)}")
    _, codes = np.unique(np.asarray(classes, dtype=str), return_inverse=True)
    if codes.max() == 0:
        codes = np.arange(len(values))
    sums, counts = np.bincount(codes, values), np.bincount(codes)
    rng = np.random.default_rng(seed)
    chunk = max(1, _DRAWN // len(sums))
    means = []
    for start in range(0, resamples, chunk):
        drawn = rng.integers(0, len(sums), (min(chunk, resamples - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return np.concatenate(means)


def _tails() -> tuple[float, float]:
    return (1 - _LEVEL) / 2, (1 + _LEVEL) / 2
