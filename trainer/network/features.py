"""Embeddings and frozen features of cached images, a chunk at a time."""

from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]
_BATCH = 64


def predict(model: keras.Model, images: Any) -> Floats:
    """Return float32 [N, D] of images uint8 [N, any, any, 3], in memory or on disk."""
    chunks = list(predicted(model, images))
    return np.concatenate(chunks) if chunks else np.empty((0, model.output_shape[1]), np.float32)


def predicted(
    model: keras.Model, images: Any, advance: Callable[[int], None] = lambda _: None
) -> Iterator[Floats]:
    """Yield the rows of ``predict`` in chunks, so that images on disk are never read whole.

    Images of another size than the model's are shrunk to it as in serving. All chunks have one
    shape, for which TensorFlow compiles the graph once.
    """
    size = model.input_shape[1]
    for start in range(0, len(images), _BATCH):
        chunk = np.asarray(images[start : start + _BATCH])
        count = len(chunk)
        if count < _BATCH:
            chunk = np.concatenate([chunk, np.zeros((_BATCH - count, *chunk.shape[1:]), np.uint8)])
        if chunk.shape[1] != size:
            chunk = np.stack([_shrunk(image, size) for image in chunk])
        yield np.asarray(model.predict_on_batch(chunk), np.float32)[:count]
        advance(count)


def _shrunk(image: npt.NDArray[np.uint8], size: int) -> npt.NDArray[np.uint8]:
    """As ``app.images.prepare`` does; TensorFlow's own takes longer than the network."""
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC))


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """Return ``vectors`` with rows of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def principal_axes(features: Floats, dimension: int, rng: np.random.Generator) -> Floats:
    """Return float32 [F, D]: the ``dimension`` directions that keep most of unit ``features`` [N, F].

    Not centred: distances between unit vectors are what a linear head must keep. Where there are
    fewer independent features than directions, the rest is filled with random orthogonal ones.
    """
    width = features.shape[1]
    _, values, axes = np.linalg.svd(unit(features), full_matrices=False)
    known = axes[: min(dimension, int((values > 1e-6 * values[0]).sum()))]
    if len(known) < min(dimension, width):
        drawn = rng.standard_normal((width, width)).astype(np.float32)
        rest, _ = np.linalg.qr(np.concatenate([known, drawn]).T)
        known = np.concatenate([known, rest.T[len(known) : min(dimension, width)]])
    if dimension > width:
        extra = rng.standard_normal((dimension - width, width)).astype(np.float32)
        known = np.concatenate([known, extra / np.sqrt(width) * 0.1])
    return np.ascontiguousarray(known.T, np.float32)
