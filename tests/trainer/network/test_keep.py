"""The pretrained features beside the trained ones, and the network at another size."""

import numpy as np
import pytest

from tests import tiny_network
from trainer.config import TrainConfig
from trainer.network import embedder as network
from trainer.network.features import predict, principal_axes, unit

KEEP = 0.4


def images(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, size, size, 3)).astype(np.uint8)


def changed(config: TrainConfig) -> network.Network:
    """As if it had been trained: what may learn has moved, the kept axes are turned."""
    built = tiny_network.build(config)
    rng = np.random.default_rng(1)
    for variable in [*built.freeze(config.network.frozen_stages), *built.head.trainable_variables]:
        noise = rng.standard_normal(variable.shape).astype(np.float32)
        variable.assign(np.asarray(variable) + 0.1 * noise)
    if built.kept is not None:
        width = built.features.output_shape[1]
        drawn = rng.standard_normal((80, width)).astype(np.float32)
        built.kept.set_weights([principal_axes(drawn, config.network.keep_dimension, rng)])
    return built


@pytest.mark.parametrize("frozen_stages", [0, 1, 2, -1])
def test_squared_distances_are_the_weighted_mean_of_both(frozen_stages: int) -> None:
    config = tiny_network.config(keep=KEEP, keep_dimension=12, frozen_stages=frozen_stages)
    built = changed(config)
    assert built.kept is not None
    assert built.embedder.output_shape == (None, config.network.embedding_dimension)
    shown = images(config.network.input_size)
    before = predict(tiny_network.build(config).features, shown)
    kept = unit(before @ built.kept.get_weights()[0])
    trained = unit(predict(built.features, shown) @ built.head.get_weights()[0])
    expected = np.concatenate([np.sqrt(1 - KEEP) * trained, np.sqrt(KEEP) * kept], axis=1)
    together = predict(built.embedder, shown)
    assert np.abs(together - expected).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


def test_the_top_makes_embeddings_of_pretrained_features() -> None:
    built = tiny_network.build(tiny_network.config(keep=KEEP, keep_dimension=12))
    shown = images(tiny_network.SIZE)
    top = np.asarray(built.top(predict(built.features, shown)))
    assert np.abs(top - predict(built.embedder, shown)).max() < 1e-5


def test_what_is_kept_does_not_learn_and_the_trunk_is_shared() -> None:
    sizes = []
    for stages in (0, 1, 2):
        config = tiny_network.config(keep=KEEP, frozen_stages=stages)
        built = tiny_network.build(config)
        assert built.kept is not None
        own = {id(v) for v in built.backbone.variables}
        above = [v for v in built.embedder.trainable_variables if id(v) not in own]
        assert {id(v) for v in above} == {id(v) for v in built.head.trainable_variables}
        sizes.append(built.embedder.count_params())
    assert sizes[0] > sizes[1] > sizes[2]


@pytest.mark.parametrize("keep", [0.0, KEEP])
def test_at_another_size_it_has_the_same_weights(keep: float) -> None:
    config = tiny_network.config(keep=keep, serving_size=64)
    built = changed(config)
    with tiny_network.in_place_of_the_real_one():
        resized = network.published(built.embedder, config.published_network)
    assert resized.input_shape == (None, 64, 64, 3)
    assert resized.output_shape == (None, config.network.embedding_dimension)
    for mine, theirs in zip(resized.get_weights(), built.embedder.get_weights(), strict=True):
        assert np.array_equal(mine, theirs)
