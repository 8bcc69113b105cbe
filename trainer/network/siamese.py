"""The tutorials' form of training, to compare with: fixed random triplets, three branches.

It is the classic of siamese tutorials. Its triplets are drawn once, before training, and most soon
give no gradient: see docs/training.md for what that costs.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from trainer.errors import DataError
from trainer.losses.distances import paired
from trainer.losses.stats import LossStats

Tensor = Any
Indices = npt.NDArray[np.int64]


def draw_triplets(labels: Sequence[int], count: int, rng: np.random.Generator) -> Indices:
    """Return ``count`` triplets of indices (anchor, positive, negative), int64 [count, 3].

    Anchors are drawn evenly from the images with a partner, positives from the others of the
    class, negatives from all other classes. Raises ``DataError`` when no class has two images, or
    there is one class only.
    """
    # Sorted by class, every class is one block: what follows are draws inside and outside of it.
    order = np.argsort(np.asarray(labels, np.int64), kind="stable")
    _, starts, numbers, sizes = np.unique(
        np.asarray(labels, np.int64)[order],
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    paired_places = np.flatnonzero(sizes[numbers] > 1)
    if len(sizes) < 2 or not len(paired_places):
        raise DataError("Triplets need two classes, and one of them two images or more.")
    anchors = rng.choice(paired_places, count)
    start, size = starts[numbers[anchors]], sizes[numbers[anchors]]
    positives = start + (anchors - start + rng.integers(1, size)) % size
    negatives = rng.integers(0, len(order) - size)
    negatives = np.where(negatives < start, negatives, negatives + size)
    return np.asarray(order[np.stack([anchors, positives, negatives], axis=1)], np.int64)


@keras.saving.register_keras_serializable(package="gemello")
class DistanceLayer(keras.layers.Layer):  # type: ignore[misc]
    """Three embeddings [N, D] → Euclidean distances [N, 2], anchor-positive and anchor-negative."""

    def call(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return ops.stack([paired(anchor, positive), paired(anchor, negative)], axis=1)


def three_branch(embedder: keras.Model) -> keras.Model:
    """Return a model of three uint8 images [N, S, S, 3] whose output is the ``DistanceLayer``'s.

    The branches are one ``embedder``, called three times: they share every weight.
    """
    shape = embedder.input_shape[1:]
    images = [
        keras.Input(shape, dtype="uint8", name=name) for name in ("anchor", "positive", "negative")
    ]
    distances = DistanceLayer(name="distances")(*(embedder(image) for image in images))
    return keras.Model(images, distances, name="siamese")


def fixed_triplet_loss(distances: Tensor, margin: float) -> LossStats:
    """Return the mean of max(0, d(a,p) − d(a,n) + margin) over float [N, 2]; ``active`` have a loss."""
    losses = ops.relu(distances[:, 0] - distances[:, 1] + margin)
    return LossStats(ops.mean(losses), ops.mean(ops.cast(losses > 0, "float32")))
