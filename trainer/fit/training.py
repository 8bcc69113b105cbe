"""Training: the head on frozen features first, then the whole network; the weights to publish are left."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.head_stage import fit_head
from trainer.fit.journal import History, Journal
from trainer.fit.judge import Judge, recall
from trainer.fit.network_stage import fit_network
from trainer.fit.task import Task
from trainer.losses.objective import make_objective
from trainer.network.embedder import Network
from trainer.network.features import predict, unit

__all__ = ["History", "fit"]


def fit(
    network: Network,
    train: ImageCache,
    validation: ImageCache,
    config: TrainConfig,
    *,
    checkpoint: Checkpoint | None = None,
    state: State | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> History:
    """Train ``network`` in place and leave the weights to publish in it (``Journal``).

    ``train`` holds images at ``config.network.cache_size``, ``validation`` at any size; without
    two validation images of a class those are the last ones. ``checkpoint`` takes the
    state after the head's epochs and after every later one; a ``state`` that it gave is gone on
    from. ``network`` is pretrained, and built inside the scope of ``strategy``. Raises
    ``DataError`` or ``TrainingFailed``.
    """
    strategy = strategy or tf.distribute.get_strategy()
    labels = np.array(numbered(train.records), np.int32)
    with strategy.scope():
        fixed = config.loss.name == "fixed_triplets"
        objective = (
            None
            if fixed
            else make_objective(
                config.loss,
                int(labels.max()) + 1,
                config.network.embedding_dimension,
                seed=config.seed,
            )
        )
    task = Task(network, train, labels, config, strategy, objective)
    journal = Journal(network.embedder, Judge(validation), config, checkpoint)
    pretrained = network.backbone.get_weights()
    # The teacher is the pretrained network: its features come before any weights move.
    teacher = task.features() if config.loss.distillation and config.epochs else None
    if state is None:
        judged = predict(network.features, journal.judge.images)
        journal.history.untrained = recall(journal.judge.hits(unit(judged)))
        fit_head(task, journal, judged, teacher)
    else:
        journal.take_up(state)
        if objective is not None:
            objective.set_weights(state.arrays["objective"])
    fit_network(task, journal, teacher, state)
    _finish(network, journal, pretrained, config.publish.blend)
    return journal.history


def _finish(
    network: Network, journal: Journal, pretrained: list[npt.NDArray[Any]], share: float
) -> None:
    """The kept weights, the backbone's blended with its ``pretrained`` ones where asked for.

    Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903. The head stays as
    it was trained: it had no task before.
    """
    if journal.kept is not None:
        network.embedder.set_weights(journal.kept)
    if share < 1:
        pairs = zip(pretrained, network.backbone.get_weights(), strict=True)
        network.backbone.set_weights([old + share * (new - old) for old, new in pairs])
