"""Multi-Similarity loss with its mining: Wang et al., arXiv:1904.06627."""

from typing import Any

import keras
from keras import ops

from trainer.losses.distances import cosine_similarity
from trainer.losses.pair_loss import PairLoss
from trainer.losses.stats import LossStats, masked_log_one_plus_sum, masked_mean

Tensor = Any

# More than any cosine.
_FAR = 1e3


def multi_similarity(
    similarities: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    alpha: float = 2.0,
    beta: float = 40.0,
    threshold: float = 0.5,
    epsilon: float = 0.1,
) -> LossStats:
    """Return the mean over anchors of log(1 + Σ e^(−α(s−λ)))/α + log(1 + Σ e^(β(s−λ)))/β.

    ``similarities`` are cosines, float32 [N, M], the masks bool [N, M], λ the ``threshold``. The
    first sum is over positives less similar than the nearest negative plus ε, the second over
    negatives more similar than the farthest positive minus ε. The defaults are those of the
    authors' code. Anchors without a positive or without a negative count for nothing. ``active`` is
    the part of anchors that mining left pairs to.
    """
    nearest = ops.max(ops.where(negatives, similarities, -_FAR), axis=1, keepdims=True)
    farthest = ops.min(ops.where(positives, similarities, _FAR), axis=1, keepdims=True)
    hard_positives = ops.logical_and(positives, similarities - epsilon < nearest)
    hard_negatives = ops.logical_and(negatives, similarities + epsilon > farthest)
    above = similarities - threshold
    pull = masked_log_one_plus_sum(-alpha * above, hard_positives, axis=1) / alpha
    push = masked_log_one_plus_sum(beta * above, hard_negatives, axis=1) / beta
    counted = ops.logical_and(ops.any(positives, axis=1), ops.any(negatives, axis=1))
    active = masked_mean(ops.any(hard_negatives, axis=1), counted)
    return LossStats(masked_mean(pull + push, counted), active)


@keras.saving.register_keras_serializable(package="gemello")
class MultiSimilarityLoss(PairLoss):
    """``multi_similarity``, always on cosines; its arguments are that function's."""

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 40.0,
        threshold: float = 0.5,
        epsilon: float = 0.1,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self._own = {"alpha": alpha, "beta": beta, "threshold": threshold, "epsilon": epsilon}

    def compare(
        self, embeddings: Tensor, references: Tensor, positives: Tensor, negatives: Tensor
    ) -> LossStats:
        similarities = cosine_similarity(embeddings, references)
        return multi_similarity(similarities, positives, negatives, **self._own)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._own}
