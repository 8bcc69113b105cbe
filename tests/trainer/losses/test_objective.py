"""From a configuration to a layer, and the layer through a step and through its configuration."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.trainer.losses.batches import unit
from trainer.config import LossConfig
from trainer.losses.contrastive import ContrastiveLoss, contrastive
from trainer.losses.distances import cosine_similarity, pair_masks, pairwise
from trainer.losses.memory import CrossBatchMemory
from trainer.losses.multi_similarity import multi_similarity
from trainer.losses.objective import make_objective
from trainer.losses.triplet import TripletLoss, batch_hard, semi_hard

X = unit(12, 8)
Y = np.arange(12) % 4
CONFIGS = [
    {"name": "triplet", "mining": "all"},
    {"name": "triplet", "mining": "semi_hard", "soft_margin": True},
    {"name": "triplet", "mining": "batch_hard"},
    {"name": "triplet", "mining": "distance_weighted"},
    {"name": "triplet", "mining": "distance_weighted", "memory": 20},
    {"name": "contrastive", "margin": 0.7},
    {"name": "contrastive", "margin": 0.7, "memory": 5},
    {"name": "multi_similarity"},
    {"name": "multi_similarity", "memory": 7},
]


def objective_of(**values: object) -> keras.layers.Layer:
    return make_objective(LossConfig.model_validate(values), 6)


@pytest.mark.parametrize("values", CONFIGS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_objective_teaches_inside_a_graph(values: dict[str, object]) -> None:
    objective = make_objective(LossConfig.model_validate(values), 6)
    x = tf.Variable(X)

    @tf.function  # type: ignore[untyped-decorator]
    def step() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            stats = objective(tf.math.l2_normalize(x, axis=1), tf.constant(Y))
        gradient = tape.gradient(stats.loss, x)
        x.assign_sub(0.1 * gradient)
        return stats.loss, stats.active, gradient

    first, active, gradient = step()
    assert 0 < float(active) <= 1
    assert np.isfinite(gradient).all()
    for _ in range(60):
        last, _, _ = step()
    assert float(last) < float(first)


@pytest.mark.parametrize("values", CONFIGS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_objective_is_serialisable(values: dict[str, object]) -> None:
    objective = make_objective(LossConfig.model_validate(values), 6)
    stored = keras.saving.serialize_keras_object(objective)
    again = keras.saving.deserialize_keras_object(stored)
    assert again.get_config() == objective.get_config()
    assert float(again(X, Y).loss) == float(objective(X, Y).loss)


def test_the_options_reach_the_loss() -> None:
    masks = pair_masks(Y)
    distances = pairwise(X, X)
    for objective, expected in (
        (objective_of(name="triplet", margin=0.3), batch_hard(distances, *masks, 0.3)),
        (objective_of(name="triplet", soft_margin=True), batch_hard(distances, *masks, None)),
        (
            objective_of(name="triplet", margin=0.3, mining="semi_hard"),
            semi_hard(distances, *masks, 0.3),
        ),
        (objective_of(name="contrastive", margin=0.9), contrastive(distances, *masks, 0.9)),
        (
            objective_of(name="multi_similarity", mining="semi_hard"),
            multi_similarity(cosine_similarity(X, X), *masks),
        ),
    ):
        assert float(objective(X, Y).loss) == pytest.approx(float(expected.loss), abs=1e-6)
        assert float(objective(X, Y).active) == pytest.approx(float(expected.active), abs=1e-6)


def test_a_memory_has_the_configured_size() -> None:
    memory = objective_of(name="triplet", memory=9, mining="semi_hard")
    assert isinstance(memory, CrossBatchMemory)
    assert (memory.size, memory.dimension, memory.loss.mining) == (9, 6, "semi_hard")
    assert isinstance(objective_of(name="triplet"), TripletLoss)
    assert isinstance(objective_of(name="contrastive"), ContrastiveLoss)
