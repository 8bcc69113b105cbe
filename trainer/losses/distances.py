"""Distances of embeddings, with gradients that are finite even between identical vectors."""

from typing import Any

from keras import ops

Tensor = Any

# A squared distance below this is nothing but rounding.
_EPSILON = 1e-12


def pairwise(anchors: Tensor, references: Tensor) -> Tensor:
    """Return Euclidean distances, float32 [N, M], of float [N, D] to float [M, D].

    They lie within 0–2 for unit vectors.
    """
    anchors, references = ops.cast(anchors, "float32"), ops.cast(references, "float32")
    squares, others = _squares(anchors), _squares(references)
    products = ops.matmul(anchors, ops.transpose(references))
    return _safe_sqrt(squares[:, None] + others[None, :] - 2 * products)


def paired(first: Tensor, second: Tensor) -> Tensor:
    """Return Euclidean distances, float32 [N], row by row, of float [N, D] and float [N, D]."""
    return _safe_sqrt(_squares(ops.cast(first, "float32") - ops.cast(second, "float32")))


def cosine_similarity(anchors: Tensor, references: Tensor) -> Tensor:
    """Return cosines, float32 [N, M], of float [N, D] and float [M, D]; they need not be unit vectors."""
    anchors, references = ops.cast(anchors, "float32"), ops.cast(references, "float32")
    unit, others = ops.normalize(anchors, axis=1), ops.normalize(references, axis=1)
    return ops.matmul(unit, ops.transpose(others))


def mean_pairwise_distance(embeddings: Tensor) -> Tensor:
    """Return the mean Euclidean distance of different rows of [N, D]; near 0 the embedding has collapsed."""
    count = ops.shape(embeddings)[0]
    distances = pairwise(embeddings, embeddings)
    pairs = ops.cast(count * (count - 1), "float32")
    return ops.sum(ops.where(_identity(count), 0.0, distances)) / ops.maximum(pairs, 1.0)


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return which pairs of the int labels [N] are positive and which negative, bool [N, N] each.

    A row with itself is neither.
    """
    same = ops.equal(labels[:, None], labels[None, :])
    itself = _identity(ops.shape(labels)[0])
    return ops.logical_and(same, ops.logical_not(itself)), ops.logical_not(same)


def _identity(count: Tensor) -> Tensor:
    rows = ops.arange(count)
    return ops.equal(rows[:, None], rows[None, :])


def _squares(vectors: Tensor) -> Tensor:
    return ops.sum(ops.square(vectors), axis=1)


def _safe_sqrt(squared: Tensor) -> Tensor:
    """The root, whose gradient at 0 is 0 instead of infinite.

    Where two are the same the root is taken of 1 and thrown away, so that no 0/0 arises.
    """
    positive = squared > _EPSILON
    return ops.where(positive, ops.sqrt(ops.where(positive, squared, 1.0)), 0.0)
