"""Rates over the steps, and parts of a network that learn at rates of their own."""

import math

import keras
import numpy as np
import pytest

from trainer.config import OptimizerConfig
from trainer.fit.optimizer import Parts, make_optimizer


@pytest.mark.parametrize(("warmup", "steps"), [(0.2, 50), (0.0, 50), (0.05, 3), (0.5, 1)])
def test_the_rate_rises_and_then_falls_as_a_cosine(warmup: float, steps: int) -> None:
    config = OptimizerConfig(warmup=warmup)
    optimizer = make_optimizer(0.1, steps, config)
    warm = int(steps * warmup)
    for step in range(steps + 1):
        optimizer.iterations.assign(step)
        if step < warm:
            expected = 0.1 * step / warm
        else:
            done = (step - warm) / max(steps - warm, 1)
            expected = 0.1 * (0.01 + 0.99 * (1 + math.cos(math.pi * done)) / 2)
        assert float(optimizer.learning_rate) == pytest.approx(expected, rel=1e-4), step


def variables() -> list[keras.Variable]:
    return [keras.Variable(np.ones(3, np.float32), name=f"v{i}") for i in range(3)]


def parts(v: list[keras.Variable]) -> Parts:
    config = OptimizerConfig(warmup=0)
    return Parts(
        (make_optimizer(0.001, 10, config), v[:1]),
        (make_optimizer(0.5, 10, config), []),
        (make_optimizer(0.1, 10, config), v[1:]),
    )


def test_each_part_learns_at_its_own_rate() -> None:
    v = variables()
    together = parts(v)
    assert together.variables == v
    together.apply([np.full(3, 7.0, np.float32)] * 3)
    # AdamW's first step is of the size of the rate, whatever the gradient's.
    moved = [float(1 - np.asarray(x.value)[0]) for x in v]
    assert moved == pytest.approx([0.001, 0.1, 0.1], rel=1e-3)


def test_the_state_is_all_that_is_needed_to_go_on() -> None:
    gradients = [np.random.default_rng(n).normal(size=(3, 3)).astype(np.float32) for n in range(6)]
    one, other = variables(), variables()
    first = parts(one)
    for gradient in gradients[:3]:
        first.apply(list(gradient))
    second = parts(other)
    for mine, theirs in zip([*other, *second.state], [*one, *first.state], strict=True):
        mine.assign(theirs)
    for gradient in gradients[3:]:
        first.apply(list(gradient))
        second.apply(list(gradient))
    for mine, theirs in zip(other, one, strict=True):
        assert np.array_equal(mine.value, theirs.value)
