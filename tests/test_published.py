"""What is exported: the trained network at another size, and the pretrained features beside it."""

from collections.abc import Callable

import numpy as np
import pytest

from trainer import network
from trainer.config import TrainConfig
from trainer.features import predict, principal_axes, unit
from trainer.published import published

SIZE = 64
CONFIG = TrainConfig(input_size=32, serving_size=SIZE, dimension=16, keep_dimension=24, keep=0.4)


def images(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3)).astype(np.uint8)


@pytest.fixture
def trained() -> Callable[[int], network.Network]:
    def make(frozen_stages: int) -> network.Network:
        built = network.build(CONFIG)
        rng = np.random.default_rng(1)
        for variable in built.freeze(frozen_stages):
            noise = rng.standard_normal(variable.shape).astype(np.float32)
            variable.assign(np.asarray(variable) + 0.01 * noise)
        return built

    return make


@pytest.mark.parametrize("frozen_stages", [0, 3, 5, -1])
def test_squared_distances_are_the_weighted_mean_of_both(
    frozen_stages: int, trained: Callable[[int], network.Network]
) -> None:
    config = CONFIG.model_copy(update={"frozen_stages": frozen_stages})
    built = trained(frozen_stages)
    drawn = np.random.default_rng(2).standard_normal((80, 1280)).astype(np.float32)
    axes = principal_axes(drawn, config.keep_dimension, np.random.default_rng(0))
    both = published(built, config, axes)
    alone = published(built, config.model_copy(update={"keep": 0.0}))
    assert both.output_shape == (None, config.published_dimension)
    before = network.untrained(config.backbone, SIZE)
    kept = unit(predict(before, images()) @ axes)
    together, half = predict(both, images()), predict(alone, images())
    expected = np.concatenate([np.sqrt(0.6) * half, np.sqrt(0.4) * kept], axis=1)
    assert np.abs(together - expected).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


def test_the_frozen_stages_are_shared(trained: Callable[[int], network.Network]) -> None:
    axes = np.eye(1280, CONFIG.keep_dimension, dtype=np.float32)
    sizes = [
        published(
            trained(stages), CONFIG.model_copy(update={"frozen_stages": stages}), axes
        ).count_params()
        for stages in (0, 3, 5)
    ]
    assert sizes[0] > sizes[1] > sizes[2]


def test_keeping_needs_axes(trained: Callable[[int], network.Network]) -> None:
    with pytest.raises(ValueError, match="axes"):
        published(trained(0), CONFIG)
