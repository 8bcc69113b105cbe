"""Features of cached images in chunks, and the axes that a linear head begins with."""

import keras
import numpy as np
import pytest
import tensorflow as tf

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
    features = unit(low_rank(rank, count))
    before = features.copy()
    linear = principal_axes(features, dimension)
    axes = linear.matrix
    assert np.array_equal(features, before)
    assert (axes.shape, axes.dtype) == ((12, dimension), np.float32)
    assert np.allclose(axes.T @ axes, np.eye(dimension), atol=1e-5)
    assert not linear.offset.any()
    if dimension >= rank:
        assert np.allclose(distances(linear(features)), distances(features), atol=1e-3)


def test_fewer_axes_are_those_that_keep_most() -> None:
    features = unit(low_rank(12))
    kept = float(np.square(features @ principal_axes(features, 3).matrix).sum())
    values = np.linalg.eigvalsh(features.T @ features)
    assert kept == pytest.approx(values[-3:].sum(), rel=1e-4)
