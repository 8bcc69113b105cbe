"""A moving average of weights while they are trained: smoother, and often better, than the last ones.

Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; as an exponential
average: Tarvainen & Valpola, "Mean teachers are better role models", arXiv:1703.01780.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np

Weights = list[np.ndarray[Any, Any]]


class MovingAverage:
    """``average ← decay · average + (1 − decay) · weights`` after every step.

    Early on the decay is min(decay, (1 + t) / (10 + t)), so that the start is soon forgotten. With a
    ``decay`` of 0 the average is the weights themselves.
    """

    def __init__(self, variables: Sequence[keras.Variable], decay: float) -> None:
        self._variables, self._decay = list(variables), decay
        self.steps = 0
        self.values: Weights = [np.array(v.value) for v in variables] if decay else []

    def update(self) -> None:
        if not self._decay:
            return
        self.steps += 1
        decay = np.float32(min(self._decay, (1 + self.steps) / (10 + self.steps)))
        for average, variable in zip(self.values, self._variables, strict=True):
            np.add(average, (1 - decay) * (np.asarray(variable.value) - average), out=average)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The variables hold the average inside, and what they were trained to afterwards."""
        if not self._decay:
            yield
            return
        trained = [np.array(v.value) for v in self._variables]
        self._assign(self.values)
        try:
            yield
        finally:
            self._assign(trained)

    def _assign(self, values: Weights) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
