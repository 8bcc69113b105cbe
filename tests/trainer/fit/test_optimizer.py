"""Rates over the steps, and the state to go on from."""

import math

import keras
import numpy as np
import pytest

from trainer.config import OptimizerConfig
from trainer.fit.optimizer import make_optimizer


@pytest.mark.parametrize(("warmup", "steps"), [(0.2, 50), (0.0, 50), (0.05, 3), (0.5, 1)])
def test_the_rate_rises_and_then_falls_as_a_cosine(warmup: float, steps: int) -> None:
    config = OptimizerConfig(warmup=warmup, learning_rate=0.1)
    optimizer = make_optimizer(config, steps)
    warm = int(steps * warmup)
    for step in range(steps + 1):
        optimizer.iterations.assign(step)
        if step < warm:
            expected = 0.1 * step / warm
        else:
            done = (step - warm) / max(steps - warm, 1)
            expected = 0.1 * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-4), step


def test_the_state_is_all_that_is_needed_to_go_on() -> None:
    gradients = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)

    def begun() -> tuple[keras.Variable, keras.optimizers.Optimizer]:
        variable = keras.Variable(np.ones(3, np.float32))
        optimizer = make_optimizer(OptimizerConfig(warmup=0), 10)
        optimizer.build([variable])
        return variable, optimizer

    one, first = begun()
    for gradient in gradients[:3]:
        first.apply_gradients([(gradient, one)])
    other, second = begun()
    for mine, theirs in zip([other, *second.variables], [one, *first.variables], strict=True):
        mine.assign(theirs)
    for gradient in gradients[3:]:
        first.apply_gradients([(gradient, one)])
        second.apply_gradients([(gradient, other)])
    assert np.array_equal(other.value, one.value)
