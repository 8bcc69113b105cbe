"""Which layer a configuration asks for: ``objective(embeddings, labels) → LossStats``."""

import keras

from trainer.config import Mining, TrainConfig
from trainer.errors import ConfigError
from trainer.losses.contrastive import ContrastiveLoss
from trainer.losses.memory import CrossBatchMemory
from trainer.losses.multi_similarity import MultiSimilarityLoss
from trainer.losses.pair_loss import PairLoss
from trainer.losses.proxy_anchor import ProxyAnchorLoss
from trainer.losses.triplet import TripletLoss


def make_objective(
    config: TrainConfig, classes: int, *, mining: Mining | None = None
) -> keras.layers.Layer:
    """The configured loss of ``classes`` classes, with ``mining`` instead of the configured one.

    Raises ``ConfigError`` for ``fixed_triplets``, whose triplets are drawn before training and not
    in the batch; see ``trainer.network.siamese``.
    """
    if config.loss == "fixed_triplets":
        raise ConfigError("loss: fixed_triplets has no loss of a batch and its labels.")
    if config.loss == "proxy_anchor":
        return ProxyAnchorLoss(classes, config.published_dimension, seed=config.seed)
    loss = _pair_loss(config, mining or config.mining)
    return (
        CrossBatchMemory(loss, config.memory, config.published_dimension) if config.memory else loss
    )


def mine(objective: keras.layers.Layer | None, mining: Mining) -> bool:
    """Let a triplet loss, also one inside a memory, mine that way in the graphs to come.

    True when it mined another way before, so that its graph must be built again.
    """
    loss = objective.loss if isinstance(objective, CrossBatchMemory) else objective
    if not isinstance(loss, TripletLoss) or loss.mining == mining:
        return False
    loss.mining = mining
    return True


def _pair_loss(config: TrainConfig, mining: Mining) -> PairLoss:
    if config.loss == "contrastive":
        return ContrastiveLoss(config.margin, config.metric)
    if config.loss == "multi_similarity":
        return MultiSimilarityLoss()
    margin = None if config.soft_margin else config.margin
    return TripletLoss(margin, mining, config.metric, config.seed)
