"""Means and sums over what a mask holds."""

import math

import numpy as np
import pytest
import tensorflow as tf

from trainer.losses.stats import masked_log_one_plus_sum, masked_mean


def test_a_masked_mean_counts_only_what_the_mask_holds() -> None:
    values, mask = tf.constant([1.0, 2.0, 9.0]), tf.constant([True, True, False])
    assert float(masked_mean(values, mask)) == 1.5
    assert float(masked_mean(values > 1, mask)) == 0.5
    assert float(masked_mean(values, tf.zeros(3, tf.bool))) == 0


@pytest.mark.parametrize("axis", [0, 1])
def test_the_log_of_a_masked_sum_equals_a_naive_loop(axis: int) -> None:
    rng = np.random.default_rng(0)
    exponents = rng.normal(scale=5, size=(4, 6)).astype(np.float32)
    mask = rng.random((4, 6)) < 0.5
    mask[0], mask[:, 0] = False, False
    rows = range((4, 6)[1 - axis])
    expected = []
    for row in rows:
        values, held = (np.take(x, row, 1 - axis) for x in (exponents, mask))
        terms = [math.exp(float(v)) for v, m in zip(values, held, strict=True) if m]
        expected.append(math.log(1 + sum(terms)))
    assert np.allclose(masked_log_one_plus_sum(exponents, mask, axis), expected, atol=1e-5)


def test_large_exponents_neither_overflow_nor_lose_their_gradient() -> None:
    exponents = tf.Variable([[500.0, 400.0, 900.0]])
    with tf.GradientTape() as tape:
        total = masked_log_one_plus_sum(exponents, tf.constant([[True, True, False]]), axis=1)
    assert float(total[0]) == 500
    assert np.array(tape.gradient(total, exponents)).tolist() == [[1, 0, 0]]
