"""Triplet loss with mining inside the batch, on unit vectors: pure functions of ``keras.ops``.

Schroff et al., "FaceNet", arXiv:1503.03832 (semi-hard); Hermans et al., "In Defense of the Triplet
Loss", arXiv:1703.07737 (batch-hard). Distances are Euclidean, not squared.
"""

from typing import Any, NamedTuple

from keras import ops

Tensor = Any

# Under the root: the gradient of a distance of 0 is then 0, not infinite.
_EPSILON = 1e-12
# Farther than any two unit vectors can be.
_FAR = 1e3


class TripletStats(NamedTuple):
    """``loss`` is a scalar; ``active`` the part of anchors (or triplets) that still give a gradient."""

    loss: Tensor
    active: Tensor


def pairwise_distances(embeddings: Tensor) -> Tensor:
    """Euclidean distances, float32 [N, N], of float32 [N, D]; the gradient is finite everywhere."""
    squares = ops.sum(ops.square(embeddings), axis=1)
    squared = (
        squares[:, None] + squares[None, :] - 2 * ops.matmul(embeddings, ops.transpose(embeddings))
    )
    # Where two are the same the root is taken of 1 and thrown away, so that no 0/0 arises.
    positive = squared > _EPSILON
    return ops.where(positive, ops.sqrt(ops.where(positive, squared, 1.0)), 0.0)


def batch_hard(embeddings: Tensor, labels: Tensor, margin: float) -> TripletStats:
    """mean over anchors of max(0, farthest positive − nearest negative + margin).

    ``labels`` is int [N]; every anchor needs a positive and a negative in the batch.
    """
    distances = pairwise_distances(embeddings)
    same = _same(labels)
    farthest = ops.max(ops.where(same, distances, 0.0), axis=1)
    nearest = ops.min(ops.where(same, _FAR, distances), axis=1)
    losses = ops.relu(farthest - nearest + margin)
    return TripletStats(ops.mean(losses), ops.mean(ops.cast(losses > 0, "float32")))


def semi_hard(embeddings: Tensor, labels: Tensor, margin: float) -> TripletStats:
    """mean over anchor-positive pairs of max(0, d(a,p) − d(a,n) + margin).

    The negative is the nearest one farther than the positive; where there is none, the farthest
    of all, which is the least hard (as in FaceNet's common implementations).
    """
    distances = pairwise_distances(embeddings)
    same = _same(labels)
    pairs = ops.logical_and(same, ops.logical_not(_identity(labels)))
    # [anchor, positive, negative]
    positive, negative = distances[:, :, None], distances[:, None, :]
    different = ops.logical_not(same)[:, None, :]
    outside = ops.logical_and(different, negative > positive)
    nearest = ops.min(ops.where(outside, negative, _FAR), axis=2)
    farthest = ops.max(ops.where(same, 0.0, distances), axis=1)[:, None]
    chosen = ops.where(nearest < _FAR, nearest, farthest)
    losses = ops.where(pairs, ops.relu(distances - chosen + margin), 0.0)
    count = ops.maximum(ops.sum(ops.cast(pairs, "float32")), 1.0)
    active = ops.sum(ops.cast(losses > 0, "float32")) / count
    return TripletStats(ops.sum(losses) / count, active)


def mean_pairwise_distance(embeddings: Tensor) -> Tensor:
    """Mean distance of different places of the batch; near 0 the embedding has collapsed."""
    distances = pairwise_distances(embeddings)
    count = ops.cast(ops.shape(embeddings)[0], "float32")
    return ops.sum(distances) / ops.maximum(count * (count - 1), 1.0)


def _same(labels: Tensor) -> Tensor:
    return ops.equal(labels[:, None], labels[None, :])


def _identity(labels: Tensor) -> Tensor:
    places = ops.arange(ops.shape(labels)[0])
    return ops.equal(places[:, None], places[None, :])
