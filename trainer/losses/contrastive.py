"""Contrastive loss: positive pairs pulled together, negative pairs pushed a margin apart."""

from typing import Any

import keras
from keras import ops

from trainer.losses.distances import pairwise
from trainer.losses.pair_loss import PairLoss
from trainer.losses.stats import LossStats, masked_mean

Tensor = Any


def contrastive(
    distances: Tensor, positives: Tensor, negatives: Tensor, margin: float
) -> LossStats:
    """Return ½ · mean of d² over positive pairs + ½ · mean of (margin − d)² over negatives within it.

    ``distances`` is float32 [N, M], the masks bool [N, M]. Hadsell et al., "Dimensionality Reduction
    by Learning an Invariant Mapping" (CVPR 2006), drew as many pairs of each kind; a batch holds
    far more negatives, so each kind has a mean of its own. ``active`` is the part of negative pairs
    within the margin.
    """
    within = ops.logical_and(negatives, distances < margin)
    pull = masked_mean(ops.square(distances), positives)
    push = masked_mean(ops.square(margin - distances), within)
    return LossStats((pull + push) / 2, masked_mean(within, negatives))


@keras.saving.register_keras_serializable(package="gemello")
class ContrastiveLoss(PairLoss):
    """``contrastive`` as a layer."""

    def __init__(self, margin: float = 0.5, **options: Any) -> None:
        super().__init__(**options)
        self.margin = margin

    def compare(
        self, embeddings: Tensor, references: Tensor, positives: Tensor, negatives: Tensor
    ) -> LossStats:
        distances = pairwise(embeddings, references)
        return contrastive(distances, positives, negatives, self.margin)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "margin": self.margin}
