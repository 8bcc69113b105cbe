"""The moving average of weights against a naive loop."""

import keras
import numpy as np
import pytest

from trainer.fit.average import MovingAverage


def variables() -> list[keras.Variable]:
    return [keras.Variable(np.ones((2, 3), np.float32)), keras.Variable(np.float32(2.0))]


def moved(weights: list[keras.Variable], steps: int) -> list[list[np.ndarray]]:
    """``steps`` random values of every variable."""
    rng = np.random.default_rng(0)
    return [[rng.normal(size=v.shape).astype(np.float32) for v in weights] for _ in range(steps)]


@pytest.mark.parametrize("decay", [0.3, 0.99])
def test_it_is_the_average_of_a_naive_loop(decay: float) -> None:
    weights = variables()
    average = MovingAverage(weights, decay)
    expected = [np.array(v.value) for v in weights]
    for number, values in enumerate(moved(weights, 30), start=1):
        share = min(decay, (1 + number) / (10 + number))
        for i, (variable, value) in enumerate(zip(weights, values, strict=True)):
            variable.assign(value)
            expected[i] = share * expected[i] + (1 - share) * value
        average.update()
    for mine, theirs in zip(average.values, expected, strict=True):
        assert np.allclose(mine, theirs, atol=1e-5)


def test_it_is_applied_inside_and_gone_outside_even_after_an_error() -> None:
    weights = variables()
    average = MovingAverage(weights, 0.5)
    trained = moved(weights, 1)[0]
    for variable, value in zip(weights, trained, strict=True):
        variable.assign(value)
    average.update()
    with pytest.raises(ZeroDivisionError), average.applied():
        for variable, value in zip(weights, average.values, strict=True):
            assert np.array_equal(variable.value, value)
        raise ZeroDivisionError
    for variable, value in zip(weights, trained, strict=True):
        assert np.array_equal(variable.value, value)


def test_without_decay_it_is_the_weights_themselves() -> None:
    weights = variables()
    average = MovingAverage(weights, 0)
    weights[1].assign(5.0)
    average.update()
    with average.applied():
        assert float(weights[1].value) == 5
    assert (average.values, average.steps) == ([], 0)
