"""A moving average of weights while they are trained: smoother, and often better, than the last ones.

Polyak & Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; as an exponential
average: Tarvainen & Valpola, "Mean teachers are better role models", arXiv:1703.01780.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

Weights = list[np.ndarray[Any, Any]]


class MovingAverage:
    """TensorFlow's ``ExponentialMovingAverage`` of ``variables``, updated after every step.

    Early on the decay is min(decay, (1 + t) / (10 + t)), so that the start is soon forgotten. With a
    ``decay`` of 0 the average is the weights themselves.
    """

    def __init__(
        self,
        variables: Sequence[keras.Variable],
        decay: float,
        strategy: tf.distribute.Strategy | None = None,
    ) -> None:
        self._variables = list(variables) if decay else []
        if not self._variables:
            return
        trained = [variable.value for variable in self._variables]
        self._strategy = strategy or tf.distribute.get_strategy()
        with self._strategy.scope():
            self._steps = tf.Variable(0, dtype=tf.int64, trainable=False)
            average = tf.train.ExponentialMovingAverage(decay, num_updates=self._steps)
            # The first call makes the averages, equal to the variables.
            average.apply(trained)
        self._averages = [average.average(variable) for variable in trained]

        def apply() -> None:
            average.apply(trained)

        self._apply = tf.function(apply)

    @property
    def steps(self) -> int:
        """Updates so far."""
        return int(self._steps.numpy()) if self._variables else 0

    @property
    def values(self) -> Weights:
        """The averages, in the order of the variables; none where the decay is 0."""
        return [average.numpy() for average in self._averages] if self._variables else []

    def update(self) -> None:
        """Take up the variables as they are now."""
        if self._variables:
            self._steps.assign_add(1)
            with self._strategy.scope():
                self._apply()

    def restore(self, values: Weights, steps: int) -> None:
        """Continue from the ``values`` and ``steps`` of an interrupted run."""
        if self._variables:
            self._steps.assign(steps)
            for average, value in zip(self._averages, values, strict=True):
                average.assign(value)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The variables hold the average inside, and their trained values afterwards."""
        trained = [np.array(variable.value) for variable in self._variables]
        self._assign(self.values)
        try:
            yield
        finally:
            self._assign(trained)

    def _assign(self, values: Weights) -> None:
        for variable, value in zip(self._variables, values, strict=True):
            variable.assign(value)
