"""Distillation of similarities against a naive loop."""

import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.losses.batches import cosine, unit
from trainer.losses.distillation import similarity_distillation


def test_it_equals_a_naive_loop() -> None:
    x, teacher = unit(5, 1), 7 * unit(5, 2, dimension=9)
    labels = np.array([0, 1, 1, 2, 0])
    expected = np.mean(
        [
            (cosine(x[i], x[j]) - cosine(teacher[i], teacher[j])) ** 2
            for i in range(5)
            for j in range(5)
            if labels[i] != labels[j]
        ]
    )
    assert float(similarity_distillation(x, teacher, labels)) == pytest.approx(
        float(expected), abs=1e-6
    )


def test_a_turned_teacher_is_already_matched() -> None:
    teacher, apart = unit(6, 3), np.arange(len(unit(6, 3)))
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0].astype(np.float32)
    assert float(similarity_distillation(teacher @ turn, teacher, apart)) == pytest.approx(
        0, abs=1e-9
    )
    assert float(similarity_distillation(teacher[:1], teacher[:1], apart[:1])) == 0


def test_no_gradient_reaches_the_teacher() -> None:
    x, teacher = tf.Variable(unit(4, 1)), tf.Variable(np.ones((4, 3), np.float32))
    with tf.GradientTape() as tape:
        loss = similarity_distillation(x, teacher, np.arange(4))
    gradient, none = tape.gradient(loss, [x, teacher])
    assert none is None
    assert 0 < np.abs(gradient).max() < 10
