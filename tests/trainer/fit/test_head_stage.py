"""The heads on frozen features: those that cost no labels, and the trained one."""

import numpy as np
import pytest
import tensorflow as tf

from app.bundle.whitening import fit_whitening
from tests.support.tiny_network import build, config
from tests.trainer.fit.fitting import Data, close, fitted
from trainer.fit import ladder
from trainer.fit.head_stage import untrained_heads
from trainer.fit.task import Task
from trainer.losses.objective import make_objective
from trainer.network.features import predict, principal_axes

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


@pytest.mark.parametrize("dimension", [16, 64])
def test_the_untrained_heads_are_the_maps_of_the_features(data: Data, dimension: int) -> None:
    chosen = config(dimension=dimension)
    network = build(chosen)
    labels = np.repeat(np.arange(8), 4).astype(np.int32)
    objective = make_objective(chosen.loss, 8, dimension)
    task = Task(network, data[0], labels, chosen, tf.distribute.get_strategy(), objective)
    heads = untrained_heads(task, task.head_features())
    features = network.features.rows(data[0], lambda _: None)[:]
    # The tiny backbone's two depths have 12 and 24 channels.
    assert features.shape == (32, 36)
    count = min(dimension, 36)
    for name, linear in (
        (ladder.PRETRAINED, principal_axes(features, count)),
        (ladder.ADAPTED, fit_whitening(features, count)),
    ):
        network.head.set_weights(heads[name])
        expected = linear(features)
        found = predict(network.embedder, data[0].images)
        assert np.abs(found[:, :count] - expected).max() < (1e-5 if dimension == 16 else 0.05)


@pytest.mark.usefixtures("eager")
def test_the_head_alone_leaves_the_backbone_as_it_is(data: Data) -> None:
    network, before, history = fitted(data, head_epochs=2, epochs=0)
    after = network.embedder.get_weights()
    assert close(after[:-2], before[:-2], 0)
    assert not close(after[-2:], before[-2:])
    assert [epoch.stage for epoch in history.epochs] == ["head", "head"]


@pytest.mark.usefixtures("eager")
def test_few_images_are_enough_for_the_head(data: Data) -> None:
    """``head_images`` of 9 are two classes of four images."""
    _, _, history = fitted(data, head_images=9, epochs=0)
    assert len(history.epochs) == 1
