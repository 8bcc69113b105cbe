"""One training step against the same computed by hand, and means over steps."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.tiny_network import build, config
from tests.trainer.losses.batches import unit
from trainer.fit.steps import Means, training_step
from trainer.losses.distances import mean_pairwise_distance, pair_masks, pairwise
from trainer.losses.triplet import TripletLoss, batch_hard

LABELS = np.array([0, 0, 1, 1, 2, 2], np.int32)
IMAGES = np.random.default_rng(0).integers(0, 256, (6, 32, 32, 3)).astype(np.uint8)
STRATEGY = tf.distribute.get_strategy()


def test_means_are_those_over_steps() -> None:
    means = Means()
    for row in ((1.0, 0.0, 3.0), (2.0, 1.0, 5.0)):
        means.add(tuple(map(tf.constant, row)))
    assert means.values() == (1.5, 0.5, 4.0)


def test_seconds_are_those_to_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    # A module of its own in place of `time`: the threads of other tests may still read the real clock.
    clock = iter([10.0, 11.0, 14.5])
    monkeypatch.setattr("trainer.fit.steps.time", SimpleNamespace(monotonic=lambda: next(clock)))
    means = Means()
    assert means.seconds == 0
    for _ in range(2):
        means.add((0.0, 0.0, 0.0))
    assert means.seconds == 4.5


def plain(
    variables: list[keras.Variable],
) -> tuple[keras.optimizers.Optimizer, list[keras.Variable]]:
    """Plain gradient descent, so that a step is the gradient."""
    optimizer = keras.optimizers.SGD(0.1)
    optimizer.build(variables)
    return optimizer, variables


def test_a_step_goes_down_the_gradient_of_its_loss() -> None:
    layers = [keras.layers.Dense(3, use_bias=False), keras.layers.UnitNormalization()]
    head = keras.Sequential([keras.Input((4,)), *layers])
    kernel = np.asarray(head.trainable_variables[0].value)
    features = unit(6, 0, dimension=4)
    step = training_step(head, TripletLoss(0.3), *plain(head.trainable_variables), STRATEGY)
    loss, active, distance = step(tf.constant(features), tf.constant(LABELS))

    weights = tf.Variable(kernel)
    with tf.GradientTape() as tape:
        embeddings = tf.math.l2_normalize(features @ weights, axis=1)
        stats = batch_hard(pairwise(embeddings, embeddings), *pair_masks(LABELS), 0.3)
    expected = kernel - 0.1 * np.asarray(tape.gradient(stats.loss, weights))
    assert np.allclose(head.trainable_variables[0].value, expected, atol=1e-5)
    assert not np.allclose(expected, kernel, atol=1e-4)
    assert float(loss) == pytest.approx(float(stats.loss), abs=1e-5)
    assert float(active) == pytest.approx(float(stats.active), abs=1e-5)
    assert float(distance) == pytest.approx(float(mean_pairwise_distance(embeddings)), abs=1e-5)


def test_a_step_of_the_network_goes_down_its_loss() -> None:
    network = build(config())
    objective = TripletLoss(0.3)
    expected = objective(network.embedder(IMAGES), LABELS)
    trained = plain(network.embedder.trainable_variables)
    step = training_step(network.embedder, objective, *trained, STRATEGY)
    batch = (tf.constant(IMAGES), tf.constant(LABELS))
    loss, active, _ = step(*batch)
    assert float(loss) == pytest.approx(float(expected.loss), abs=1e-4)
    assert float(active) == pytest.approx(float(expected.active), abs=1e-4)
    assert float(step(*batch)[0]) < float(loss)
