"""Embeddings and frozen features of cached images, a chunk at a time."""

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from app.bundle.linear_map import LinearMap
from trainer.data.cache import ImageCache
from trainer.data.rows import FeatureFile, RowFile

Floats = npt.NDArray[np.float32]
Advance = Callable[[int], None]
_BATCH = 64


class Features(Protocol):
    """What makes the features that a head is trained on, and stays as it is while it is."""

    def rows(self, images: ImageCache, advance: Advance) -> RowFile:
        """Return unit float32 [N, F] of the N images; ``advance`` is told how many are done."""
        ...


class KerasFeatures:
    """Those of a Keras model, uint8 [N, S, S, 3] → float32 [N, F]; they go with the run."""

    def __init__(self, model: keras.Model) -> None:
        self._model = model

    def rows(self, images: ImageCache, advance: Advance) -> RowFile:
        stored = FeatureFile(images.folder, self._model.output_shape[1])
        for chunk in predicted(self._model, images.images, advance):
            stored.append(chunk)
        return stored


def predict(model: keras.Model, images: Any) -> Floats:
    """Return float32 [N, D] of images uint8 [N, S, S, 3], in memory or on disk."""
    chunks = list(predicted(model, images))
    return np.concatenate(chunks) if chunks else np.empty((0, model.output_shape[1]), np.float32)


def predicted(
    model: keras.Model, images: Any, advance: Advance = lambda _: None
) -> Iterator[Floats]:
    """Yield the rows of ``predict`` in chunks, so that images on disk are never read whole.

    All chunks have one shape, for which TensorFlow compiles the graph once.
    """
    for start in range(0, len(images), _BATCH):
        chunk = np.asarray(images[start : start + _BATCH])
        count = len(chunk)
        if count < _BATCH:
            chunk = np.concatenate([chunk, np.zeros((_BATCH - count, *chunk.shape[1:]), np.uint8)])
        yield np.asarray(model.predict_on_batch(chunk), np.float32)[:count]
        advance(count)


def unit(vectors: npt.NDArray[Any]) -> Floats:
    """Return ``vectors`` with rows of length 1."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def principal_axes(features: Floats, dimension: int) -> LinearMap:
    """Return the map of unit ``features`` [N, F] to the ``dimension`` directions that keep most of them.

    Not centred, so that distances stay what they were, as far as ``dimension`` allows.
    """
    _, axes = np.linalg.eigh(features.T.astype(np.float64) @ features)
    matrix = axes[:, ::-1][:, :dimension].astype(np.float32)
    return LinearMap(np.ascontiguousarray(matrix), np.zeros(dimension, np.float32))
