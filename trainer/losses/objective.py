"""Which layer a configuration asks for: ``objective(embeddings, labels) → LossStats``."""

import keras

from trainer.config import LossConfig, Mining
from trainer.losses.contrastive import ContrastiveLoss
from trainer.losses.memory import CrossBatchMemory
from trainer.losses.multi_similarity import MultiSimilarityLoss
from trainer.losses.pair_loss import PairLoss
from trainer.losses.triplet import TripletLoss


def make_objective(config: LossConfig, dimension: int, *, seed: int = 0) -> keras.layers.Layer:
    """Return the configured loss of embeddings of ``dimension``."""
    loss = _pair_loss(config, seed)
    return CrossBatchMemory(loss, config.memory, dimension) if config.memory else loss


def mine(objective: keras.layers.Layer, mining: Mining) -> bool:
    """Let a triplet loss, also one inside a memory, mine that way in the graphs to come.

    True when it mined another way before, so that its graph must be built again.
    """
    loss = objective.loss if isinstance(objective, CrossBatchMemory) else objective
    if not isinstance(loss, TripletLoss) or loss.mining == mining:
        return False
    loss.mining = mining
    return True


def _pair_loss(config: LossConfig, seed: int) -> PairLoss:
    if config.name == "contrastive":
        return ContrastiveLoss(config.margin)
    if config.name == "multi_similarity":
        return MultiSimilarityLoss()
    margin = None if config.soft_margin else config.margin
    return TripletLoss(margin, config.mining, seed)
