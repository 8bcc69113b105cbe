"""How probable a match is: a logistic function of the non-matching images that are expected as near."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Matches = npt.NDArray[np.bool_]

MIN_PAIRS = 20
"""Matches, and others, to fit on; of fewer it would be chance."""

TOP_K = 10
"""A score is read beside the first results of a search, so it is made right for them."""

# Newton's method doubles the digits with each step.
_STEPS = 50
_CLOSE = 1e-12


@dataclass(frozen=True, slots=True)
class Scoring:
    """Log odds of a match: ``intercept`` + ``slope`` · the logarithm of the number that ``Tail`` expects."""

    intercept: float
    slope: float

    def probability(self, log_expected: float) -> float:
        """Return the probability of a match, 0–1."""
        # The logistic function by way of tanh, which nothing makes overflow.
        return (1 + math.tanh((self.intercept + self.slope * log_expected) / 2)) / 2


def fit_scoring(values: Floats, matches: Matches) -> Scoring:
    """Return the scoring of greatest likelihood for ``values`` [M], logarithms of what is expected.

    Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its targets a little
    inside 0 and 1, so that values which separate perfectly have a finite fit, too; by Newton's method
    with steps halved until they help: Lin, Lin & Weng, "A Note on Platt's Probabilistic Outputs", 2007.
    """
    positive, negative = int(matches.sum()), int((~matches).sum())
    targets = np.where(matches, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # In their own spread: the search for the minimum is then at home in any unit.
    middle, spread = float(values.mean()), float(values.std()) or 1.0
    design = np.stack([np.ones(len(values)), (values - middle) / spread], axis=1)

    def loss(parameters: Floats) -> float:
        logits = design @ parameters
        return float(np.mean(np.logaddexp(0, logits) - targets * logits))

    # From the prior alone, as Platt starts.
    parameters = np.array([math.log((positive + 1) / (negative + 1)), 0.0])
    least = loss(parameters)
    for _ in range(_STEPS):
        part = np.exp(-np.logaddexp(0, -design @ parameters))
        gradient = design.T @ (part - targets) / len(values)
        curvature = (design.T * (part * (1 - part))) @ design / len(values) + _CLOSE * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (lower := loss(parameters - step)) > least and np.abs(step).max() > _CLOSE:
            step = step / 2
        parameters, gained, least = parameters - step, least - lower, lower
        if gained < _CLOSE:
            break
    slope = float(parameters[1]) / spread
    return Scoring(float(parameters[0]) - slope * middle, slope)
