"""Triplet loss and its mining: pure functions of a matrix of distances.

Every function takes float32 distances [N, M] from N anchors to M references, bool [N, M] masks of
positives and negatives (an anchor is neither to itself), and the margin, or None for the soft one.
An anchor without a positive or without a negative counts for nothing; if all are so, loss and
active are 0. Embeddings are taken to have unit length.

Schroff et al., "FaceNet", arXiv:1503.03832 (semi-hard); Hermans et al., "In Defense of the Triplet
Loss", arXiv:1703.07737 (batch-all, batch-hard, soft margin); Wu et al., "Sampling Matters in Deep
Embedding Learning", arXiv:1706.07567 (distance-weighted).
"""

import math
from collections.abc import Callable
from typing import Any, get_args

import keras
from keras import ops

from trainer.config import Mining
from trainer.losses.distances import pairwise
from trainer.losses.pair_loss import PairLoss
from trainer.losses.stats import LossStats, masked_mean

Tensor = Any

# Farther than any two unit vectors can be.
_FAR = 1e3
# Hermans et al. take softplus(d(a,p) − d(a,n)) of distances without bound. Those of unit vectors
# end at 2, where that never comes to rest (its slope at −2 is still 0.12), which is why softmax
# losses scale normalised features, too (Wang et al., NormFace, arXiv:1704.06369). With 20 the slope
# falls from a half to 2 % at a difference of −0.2, the upper end of margins that work on unit
# vectors. Dividing by it again keeps loss and gradient in the units of a distance.
SOFT_SCALE = 20.0
_SOFT_REACH = 4 / SOFT_SCALE
# Wu et al. cut the weights of negatives nearer than 0.5, whose gradient is mostly noise. Beyond √2,
# where unit vectors of a high dimension crowd, the weight would rise again although such a negative
# teaches nothing; it stays at its least there.
_NEAREST, _CROWD = 0.5, math.sqrt(2)


def all_triplets(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float | None
) -> LossStats:
    """Return the mean of max(0, d(a,p) − d(a,n) + margin) over the triplets with a loss above 0.

    ``active`` is their part of all triplets. Memory grows with N · M · the most positives of any
    anchor.
    """
    positive, pairs, _ = _positive_pairs(distances, positives)
    triplets = ops.logical_and(pairs[:, :, None], negatives[:, None, :])
    losses, active = _hinge(positive[:, :, None] - distances[:, None, :], margin)
    loss = masked_mean(losses, ops.logical_and(triplets, losses > 0))
    return LossStats(loss, masked_mean(active, triplets))


def semi_hard(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float | None
) -> LossStats:
    """Return the mean over anchor-positive pairs of max(0, d(a,p) − d(a,n) + margin).

    The negative is the nearest one farther than the positive; where there is none, the farthest
    of all, which is the least hard (as in FaceNet's common implementations). ``active`` is the
    part of pairs with a loss.
    """
    positive, pairs, _ = _positive_pairs(distances, positives)
    # [anchor, positive, negative]
    outside = ops.logical_and(negatives[:, None, :], distances[:, None, :] > positive[:, :, None])
    nearest = ops.min(ops.where(outside, distances[:, None, :], _FAR), axis=2)
    farthest = ops.max(ops.where(negatives, distances, 0.0), axis=1, keepdims=True)
    chosen = ops.where(nearest < _FAR, nearest, farthest)
    losses, active = _hinge(positive - chosen, margin)
    counted = ops.logical_and(pairs, _any(negatives)[:, None])
    return LossStats(masked_mean(losses, counted), masked_mean(active, counted))


def batch_hard(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float | None
) -> LossStats:
    """Return the mean over anchors of max(0, farthest positive − nearest negative + margin).

    ``active`` is the part of anchors with a loss.
    """
    farthest = ops.max(ops.where(positives, distances, 0.0), axis=1)
    nearest = ops.min(ops.where(negatives, distances, _FAR), axis=1)
    losses, active = _hinge(farthest - nearest, margin)
    counted = ops.logical_and(_any(positives), _any(negatives))
    return LossStats(masked_mean(losses, counted), masked_mean(active, counted))


def distance_weighted(
    distances: Tensor,
    positives: Tensor,
    negatives: Tensor,
    margin: float | None,
    *,
    dimension: int,
    seed: keras.random.SeedGenerator,
) -> LossStats:
    """Return the mean over anchor-positive pairs, each with one negative drawn by its distance (Wu et al.).

    ``dimension`` is that of the embeddings. ``active`` is the part of pairs with a loss.
    """
    positive, pairs, most = _positive_pairs(distances, positives)
    drawn = draw_negatives(ops.stop_gradient(distances), negatives, most, dimension, seed)
    losses, active = _hinge(positive - ops.take_along_axis(distances, drawn, axis=1), margin)
    counted = ops.logical_and(pairs, _any(negatives)[:, None])
    return LossStats(masked_mean(losses, counted), masked_mean(active, counted))


def draw_negatives(
    distances: Tensor,
    negatives: Tensor,
    count: int | Tensor,
    dimension: int,
    seed: keras.random.SeedGenerator,
) -> Tensor:
    """Return for every anchor ``count`` indices of negatives, int64 [N, count], drawn with replacement.

    The chance is 1/q(d), where q(d) ∝ d^(D−2) · (1 − d²/4)^((D−3)/2) is the density of Euclidean
    distances of unit vectors spread evenly in D dimensions, and d is
    kept within 0.5 and √2. A row without a negative holds arbitrary indices.
    """
    d = ops.clip(distances, _NEAREST, _CROWD)
    density = (dimension - 2) * ops.log(d) + (dimension - 3) / 2 * ops.log1p(-ops.square(d) / 4)
    chances = ops.where(negatives, -density, -1e9)
    return keras.random.categorical(chances, count, dtype="int64", seed=seed)


def _hinge(difference: Tensor, margin: float | None) -> tuple[Tensor, Tensor]:
    """The loss of d(a,p) − d(a,n), and whether it still gives a gradient worth the name, bool."""
    if margin is None:
        return ops.softplus(SOFT_SCALE * difference) / SOFT_SCALE, difference > -_SOFT_REACH
    losses = ops.relu(difference + margin)
    return losses, losses > 0


def _positive_pairs(distances: Tensor, positives: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Every anchor's positives moved to the front: their distances [N, K] and which are real.

    K, the third, is the most that any anchor has: a few of M, so that a cube of triplets stays
    small.
    """
    most = ops.maximum(ops.max(ops.sum(ops.cast(positives, "int32"), axis=1)), 1)
    front = ops.argsort(-ops.cast(positives, "float32"), axis=1)[:, :most]
    there = ops.take_along_axis(ops.cast(positives, "float32"), front, axis=1) > 0
    return ops.take_along_axis(distances, front, axis=1), there, most


def _any(mask: Tensor) -> Tensor:
    return ops.any(mask, axis=1)


_MINERS: dict[Mining, Callable[..., LossStats]] = {
    "all": all_triplets,
    "semi_hard": semi_hard,
    "batch_hard": batch_hard,
}


@keras.saving.register_keras_serializable(package="gemello")
class TripletLoss(PairLoss):
    """``triplet`` with one of its minings; a ``margin`` of None is the soft one.

    ``seed`` is for distance-weighted mining alone. Raises ``ValueError`` for an unknown mining.
    """

    def __init__(
        self,
        margin: float | None = 0.1,
        mining: Mining = "batch_hard",
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if mining not in get_args(Mining):
            raise ValueError(f"{mining!r} is not a mining; use one of {get_args(Mining)}.")
        self.margin, self.mining, self.seed = margin, mining, seed
        self.seed_generator = keras.random.SeedGenerator(seed)

    def compare(
        self, embeddings: Tensor, references: Tensor, positives: Tensor, negatives: Tensor
    ) -> LossStats:
        distances = pairwise(embeddings, references)
        if self.mining != "distance_weighted":
            return _MINERS[self.mining](distances, positives, negatives, self.margin)
        return distance_weighted(
            distances,
            positives,
            negatives,
            self.margin,
            dimension=embeddings.shape[1],
            seed=self.seed_generator,
        )

    def get_config(self) -> dict[str, Any]:
        own = {"margin": self.margin, "mining": self.mining, "seed": self.seed}
        return {**super().get_config(), **own}
