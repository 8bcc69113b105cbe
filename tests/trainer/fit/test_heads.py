"""The heads on frozen features: those that cost no labels, and the one that does."""

import numpy as np
import pytest
import tensorflow as tf

from app.bundle.whitening import fit_whitening
from tests.support.tiny_network import build, config
from tests.trainer.fit.fitting import Data, close, fitted
from trainer.config import TrainConfig
from trainer.fit import ladder
from trainer.fit.discriminant import fit_discriminant
from trainer.fit.heads import fit_heads
from trainer.fit.task import Task
from trainer.losses.objective import make_objective
from trainer.network.features import predict, principal_axes

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


LABELS = np.repeat(np.arange(8), 4).astype(np.int32)


def task(data: Data, chosen: TrainConfig) -> Task:
    objective = make_objective(chosen.loss, chosen.network.dimension)
    strategy = tf.distribute.get_strategy()
    return Task(build(chosen), data[0], LABELS, chosen, strategy, objective)


@pytest.mark.parametrize("dimension", [16, 64])
def test_the_heads_are_the_maps_of_the_features(data: Data, dimension: int) -> None:
    asked = task(data, config(dimension=dimension))
    network = asked.network
    heads = fit_heads(network, asked.head_features("features"))
    features = network.features.rows(data[0], lambda _: None)[:]
    # The tiny backbone's two depths have 12 and 24 channels.
    assert features.shape == (32, 36)
    count = min(dimension, 36)
    for name, linear in (
        (ladder.PRETRAINED, principal_axes(features, count)),
        (ladder.ADAPTED, fit_whitening(features, count)),
        (ladder.HEAD, fit_discriminant(features, LABELS, count)),
    ):
        network.head.set_weights(heads[name])
        expected = linear(features)
        found = predict(network.embedder, data[0].images)
        assert np.abs(found[:, :count] - expected).max() < (1e-5 if dimension == 16 else 0.05)


@pytest.mark.usefixtures("eager")
def test_the_heads_alone_leave_the_backbone_as_it_is(data: Data) -> None:
    network, before, history = fitted(data, epochs=0)
    after = network.embedder.get_weights()
    assert close(after[:-2], before[:-2], 0)
    assert not close(after[-2:], before[-2:])
    assert [rung["name"] for rung in history.ladder] == ["pretrained", "adapted", "head"]
    assert history.epochs == []


def test_of_many_images_whole_classes_are_fitted_on(data: Data) -> None:
    """``head_images`` of 9 are two classes of four images."""
    known = task(data, config(head_images=9)).head_features("features")
    assert known.vectors.shape == (8, 36)
    assert np.unique(known.labels, return_counts=True)[1].tolist() == [4, 4]
