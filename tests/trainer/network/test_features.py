"""Features of cached images in chunks, and the axes that a linear head begins with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.support.images import photo
from trainer.network.features import predict, predicted, principal_axes, unit


@pytest.fixture(scope="module")
def model() -> keras.Model:
    """The mean of each of the four quarters' channels: small enough to compute by hand."""
    images = keras.Input((8, 8, 3), dtype="uint8")
    pixels = keras.layers.Rescaling(1.0)(images)
    return keras.Model(images, keras.layers.Flatten()(keras.layers.AveragePooling2D(4)(pixels)))


def noise(count: int, size: int = 8) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


def distances(x: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - x[None, :], axis=2)


@pytest.mark.parametrize("count", [1, 63, 64, 65, 150])
def test_chunks_are_the_whole(model: keras.Model, count: int) -> None:
    images = noise(count)
    done: list[int] = []
    chunks = list(predicted(model, images, done.append))
    expected = images.reshape(count, 2, 4, 2, 4, 3).mean(axis=(2, 4)).reshape(count, -1)
    assert (sum(done), len(chunks)) == (count, -(-count // 64))
    assert np.allclose(np.concatenate(chunks), np.asarray(expected), atol=1e-3)
    assert np.array_equal(predict(model, images), np.concatenate(chunks))


def test_no_images_are_no_rows(model: keras.Model) -> None:
    empty = predict(model, noise(0))
    assert (empty.shape, empty.dtype) == ((0, 12), np.float32)


def test_larger_images_are_shrunk_with_antialiasing_as_in_serving(model: keras.Model) -> None:
    images = np.stack([np.asarray(photo(seed, 24, 24)) for seed in range(5)])
    # An edge that overshoots on both sides.
    images[4, :10], images[4, 10:] = 255, 0
    from PIL import Image

    small = [Image.fromarray(i).resize((8, 8), Image.Resampling.BICUBIC) for i in images]
    expected = predict(model, np.stack([np.asarray(i) for i in small]))
    assert np.array_equal(predict(model, images), expected)
    stripes = np.zeros((1, 24, 24, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(predict(model, stripes) - 127.5).max() < 12, "no moiré"


def test_unit_rows_have_length_one_and_a_zero_row_stays() -> None:
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert np.allclose(unit(x), np.array([[0.6, 0.8], [0, 0]]))
    assert unit(x).dtype == np.float32
    half = np.asarray(tf.constant([[3.0, 4.0]], tf.bfloat16))
    assert np.allclose(unit(half), [[0.6, 0.8]])


def low_rank(rank: int, count: int = 50, width: int = 12) -> np.ndarray:
    rng = np.random.default_rng(rank)
    return (rng.normal(size=(count, rank)) @ rng.normal(size=(rank, width))).astype(np.float32)


@pytest.mark.parametrize(
    ("rank", "dimension", "count"), [(12, 12, 50), (4, 5, 50), (4, 12, 50), (12, 7, 50), (3, 9, 3)]
)
def test_axes_are_orthonormal_and_keep_distances(rank: int, dimension: int, count: int) -> None:
    features = low_rank(rank, count)
    before = features.copy()
    axes = principal_axes(features, dimension, np.random.default_rng(0))
    assert np.array_equal(features, before)
    assert (axes.shape, axes.dtype) == ((12, dimension), np.float32)
    assert np.allclose(axes.T @ axes, np.eye(dimension), atol=1e-5)
    if dimension >= rank:
        kept = distances(unit(features @ axes))
        assert np.allclose(kept, distances(unit(features)), atol=1e-3)


def test_fewer_axes_are_those_that_keep_most() -> None:
    features = low_rank(12)
    axes = principal_axes(features, 3, np.random.default_rng(0))
    kept = float((np.square(unit(features) @ axes)).sum())
    values = np.linalg.eigvalsh(unit(features).T @ unit(features))
    assert kept == pytest.approx(values[-3:].sum(), rel=1e-4)


def test_more_dimensions_than_features_change_distances_little() -> None:
    features = low_rank(12)
    axes = principal_axes(features, 30, np.random.default_rng(0))
    assert axes.shape == (12, 30)
    assert np.allclose(axes[:, :12].T @ axes[:, :12], np.eye(12), atol=1e-5)
    # No column is zero: no gradient would ever reach it.
    assert np.linalg.norm(axes, axis=0).min() > 0.01
    assert np.abs(distances(unit(features @ axes)) - distances(unit(features))).max() < 0.1
