"""The pretrained features beside the trained ones: their share, by how familiar a picture is."""

from pathlib import Path

import keras
import numpy as np
import pytest

from app.images.prepare import Pixels
from tests.support import tiny_network
from trainer.config import TrainConfig
from trainer.errors import ConfigError
from trainer.network import embedder as network
from trainer.network.embedder import Network, published
from trainer.network.features import predict, principal_axes, unit
from trainer.network.kept_share import KeptShare, familiar

LIKE, UNLIKE = 0.3, 0.8


def spread(count: int, seed: int, first: int, last: int, width: int = 40) -> np.ndarray:
    """Features around a common mean that differ from it in the directions ``first`` to ``last``."""
    rng = np.random.default_rng(seed)
    features = np.zeros((count, width), np.float32)
    features[:, 0] = 5
    features[:, first:last] += rng.standard_normal((count, last - first))
    return features


@pytest.fixture
def layer() -> KeptShare:
    made = KeptShare(LIKE, UNLIKE)
    made.build((None, 40))
    made.set_weights(familiar(spread(80, 0, 1, 11)))
    return made


def shares(layer: KeptShare, features: np.ndarray) -> np.ndarray:
    found = np.asarray(layer(features))
    assert found.shape == (len(features), 1)
    return found[:, 0]


def test_what_is_like_the_training_leaves_more_to_what_was_trained(layer: KeptShare) -> None:
    assert np.median(shares(layer, spread(50, 1, 1, 11))) == pytest.approx(LIKE, abs=0.02)
    assert shares(layer, spread(50, 2, 20, 40)) == pytest.approx(np.full(50, UNLIKE), abs=0.01)
    between = shares(layer, spread(50, 1, 1, 11) + spread(50, 3, 20, 30))
    assert LIKE < np.median(between) < UNLIKE
    assert shares(layer, 7 * spread(5, 1, 1, 11)) == pytest.approx(
        shares(layer, spread(5, 1, 1, 11)), abs=1e-5
    )


def test_it_is_the_documented_formula(layer: KeptShare) -> None:
    known, asked = spread(80, 0, 1, 11), spread(9, 4, 1, 25)
    vectors = unit(known)
    mean = vectors.mean(axis=0)
    axes = np.linalg.svd(vectors - mean)[2][:10]

    def inside(features: np.ndarray) -> np.ndarray:
        rows = unit(features) - mean
        return np.array(
            [sum(float(row @ axis) ** 2 for axis in axes) / float(row @ row) for row in rows]
        )

    familiarity = np.minimum(inside(asked) / np.median(inside(known)), 1)
    expected = UNLIKE + (LIKE - UNLIKE) * familiarity**3
    assert shares(layer, asked) == pytest.approx(expected, abs=1e-4)


def test_few_images_make_few_axes_of_the_same_shape() -> None:
    few, many = (familiar(spread(count, 0, 1, 30)) for count in (16, 4000))
    assert [np.shape(array) for array in few] == [np.shape(array) for array in many]
    assert (np.abs(few[1]).sum(axis=0) > 0).sum() == 2
    (one,) = {np.shape(array)[0] for array in familiar(spread(1, 0, 1, 5))[:2]}
    assert one == 40


def familiar_with_most(config: TrainConfig) -> tuple[Network, Pixels, np.ndarray]:
    """A network that knows 64 of 72 pictures; the pictures, and the share of each."""
    built = tiny_network.build(config)
    assert built.share is not None
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (72, tiny_network.SIZE, tiny_network.SIZE, 3)).astype(np.uint8)
    images[64:] //= 8
    features = predict(built.features, images)
    built.share.set_weights(familiar(features[:64]))
    return built, images, shares(built.share, features)


def test_squared_distances_are_weighted_by_the_share(tmp_path: Path) -> None:
    config = tiny_network.config(keep=LIKE, keep_unlike=UNLIKE, keep_dimension=12)
    built, images, found = familiar_with_most(config)
    embeddings = predict(built.embedder, images)
    trained, kept = np.split(embeddings, [config.network.dimension], axis=1)
    assert LIKE - 1e-6 < found.min() < found.max() < UNLIKE + 1e-6
    assert np.square(kept).sum(axis=1) == pytest.approx(found, abs=1e-4)
    assert np.square(trained).sum(axis=1) == pytest.approx(1 - found, abs=1e-4)
    assert np.asarray(built.top(predict(built.features, images))) == pytest.approx(
        embeddings, abs=1e-5
    )
    built.embedder.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert predict(again, images) == pytest.approx(embeddings, abs=1e-6)


def test_a_larger_share_is_published_than_trained_with() -> None:
    chosen = tiny_network.config(
        keep=LIKE, keep_unlike=UNLIKE, keep_dimension=12, serving_keep_unlike=0.95
    )
    built, images, found = familiar_with_most(chosen)
    with tiny_network.in_place_of_the_real_one():
        served = published(built.embedder, chosen.published_network)
    trained, kept = np.split(predict(served, images), [chosen.network.dimension], axis=1)
    wanted = LIKE + (found - LIKE) * (0.95 - LIKE) / (UNLIKE - LIKE)
    assert wanted.max() > found.max() + 0.01
    assert np.square(kept).sum(axis=1) == pytest.approx(wanted, abs=1e-4)
    assert np.square(trained).sum(axis=1) == pytest.approx(1 - wanted, abs=1e-4)
    assert built.share is not None
    assert built.share.unlike == UNLIKE, "training's own share stays"


@pytest.mark.parametrize(
    "values", [{"keep": LIKE}, {"keep": LIKE, "keep_unlike": UNLIKE, "serving_keep_unlike": 0.1}]
)
def test_a_published_share_needs_one_to_stand_in_for(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"stands in for network\.keep_unlike"):
        tiny_network.config(**{"serving_keep_unlike": 0.9, **values})


@pytest.mark.parametrize("keep", [0.0, 0.9])
def test_the_share_of_the_unlike_is_the_larger(keep: float) -> None:
    with pytest.raises(ConfigError, match="keep_unlike is a share like keep"):
        tiny_network.config(keep=keep, keep_unlike=UNLIKE)


KEEP = 0.4


def noise(size: int, count: int = 3) -> np.ndarray:
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
    shown = noise(config.network.input_size)
    before = predict(tiny_network.build(config).features, shown)
    kept = unit(before @ built.kept.get_weights()[0])
    trained = unit(predict(built.features, shown) @ built.head.get_weights()[0])
    expected = np.concatenate([np.sqrt(1 - KEEP) * trained, np.sqrt(KEEP) * kept], axis=1)
    together = predict(built.embedder, shown)
    assert np.abs(together - expected).max() < 1e-5
    assert np.abs(np.linalg.norm(together, axis=1) - 1).max() < 1e-5


def test_the_top_makes_embeddings_of_pretrained_features() -> None:
    built = tiny_network.build(tiny_network.config(keep=KEEP, keep_dimension=12))
    shown = noise(tiny_network.SIZE)
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
