"""From a configuration to a layer, and the layer through a step and through its configuration."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.losses.batches import unit
from trainer.config import TrainConfig
from trainer.errors import ConfigError
from trainer.losses.contrastive import ContrastiveLoss, contrastive
from trainer.losses.distances import cosine_similarity, pair_masks, pairwise
from trainer.losses.memory import CrossBatchMemory
from trainer.losses.multi_similarity import multi_similarity
from trainer.losses.objective import make_objective
from trainer.losses.triplet import TripletLoss, batch_hard, semi_hard

X = unit(12, 8)
Y = np.arange(12) % 4
CONFIGS = [
    {"loss": "triplet", "mining": "all"},
    {"loss": "triplet", "mining": "semi_hard", "soft_margin": True},
    {"loss": "triplet", "mining": "batch_hard", "metric": "cosine"},
    {"loss": "triplet", "mining": "distance_weighted", "seed": 4},
    {"loss": "triplet", "mining": "distance_weighted", "metric": "cosine", "memory": 20},
    {"loss": "contrastive", "margin": 0.7},
    {"loss": "contrastive", "metric": "cosine", "memory": 5},
    {"loss": "multi_similarity"},
    {"loss": "multi_similarity", "memory": 7},
    {"loss": "proxy_anchor"},
]


def config(**values: object) -> TrainConfig:
    return TrainConfig.model_validate({"dimension": 6, **values})


@pytest.mark.parametrize("values", CONFIGS, ids=lambda v: "-".join(map(str, v.values())))
def test_every_objective_teaches_inside_a_graph(values: dict[str, object]) -> None:
    objective = make_objective(config(**values), 4)
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
    objective = make_objective(config(**values), 4)
    stored = keras.saving.serialize_keras_object(objective)
    again = keras.saving.deserialize_keras_object(stored)
    assert again.get_config() == objective.get_config()
    assert float(again(X, Y).loss) == float(objective(X, Y).loss)


def test_the_knobs_reach_the_loss() -> None:
    masks = pair_masks(Y)
    distances, cosines = pairwise(X, X), pairwise(X, X, "cosine")
    for objective, expected in (
        (make_objective(config(margin=0.3), 4), batch_hard(distances, *masks, 0.3)),
        (
            make_objective(config(soft_margin=True, metric="cosine"), 4),
            batch_hard(cosines, *masks, None),
        ),
        (
            make_objective(config(margin=0.3), 4, mining="semi_hard"),
            semi_hard(distances, *masks, 0.3),
        ),
        (
            make_objective(config(loss="contrastive", margin=0.9, metric="cosine"), 4),
            contrastive(cosines, *masks, 0.9),
        ),
        (
            make_objective(config(loss="multi_similarity"), 4, mining="semi_hard"),
            multi_similarity(cosine_similarity(X, X), *masks),
        ),
    ):
        assert float(objective(X, Y).loss) == pytest.approx(float(expected.loss), abs=1e-6)
        assert float(objective(X, Y).active) == pytest.approx(float(expected.active), abs=1e-6)


def test_memory_and_proxies_have_the_configured_size() -> None:
    memory = make_objective(config(memory=9), 4, mining="semi_hard")
    assert isinstance(memory, CrossBatchMemory)
    assert (memory.size, memory.dimension, memory.loss.mining) == (9, 6, "semi_hard")
    assert make_objective(config(loss="proxy_anchor"), 17).proxies.shape == (17, 6)
    assert isinstance(make_objective(config(), 4), TripletLoss)
    assert isinstance(make_objective(config(loss="contrastive"), 4), ContrastiveLoss)


def test_proxies_follow_the_seed() -> None:
    def proxies(seed: int) -> list:
        layer = make_objective(config(loss="proxy_anchor", seed=seed), 4)
        return np.array(layer.proxies).tolist()

    assert proxies(1) == proxies(1)
    assert proxies(1) != proxies(2)


def test_fixed_triplets_are_refused() -> None:
    with pytest.raises(ConfigError, match="fixed_triplets"):
        make_objective(config(loss="fixed_triplets"), 4)
