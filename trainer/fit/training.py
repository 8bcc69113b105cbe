"""Training: first the head on frozen features, then the whole network."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.head_stage import fit_head
from trainer.fit.history import History, Recorder
from trainer.fit.network_stage import fit_network
from trainer.fit.task import Task
from trainer.fit.validation import Validation, recall
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
    """Train ``network`` in place and leave the weights to publish in it (``Recorder``).

    ``train`` holds images at ``config.network.cache_size``, ``validation`` at any size; without
    two validation images of a class those are the last ones. ``checkpoint`` takes the
    state after the head's epochs and after every later one; a ``state`` that it loaded is
    continued. ``network`` is pretrained, and built inside the scope of ``strategy``. Raises
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
    recorder = Recorder(network.embedder, Validation(validation), config, checkpoint)
    pretrained = network.backbone.get_weights()
    # The teacher is the pretrained network: its features come before any weights move.
    teacher = task.features() if config.loss.distillation and config.epochs else None
    if state is None:
        held_out = predict(network.features, recorder.validation.images)
        recorder.history.untrained = recall(recorder.validation.hits(unit(held_out)))
        fit_head(task, recorder, held_out, teacher)
    else:
        recorder.restore(state)
        if objective is not None:
            objective.set_weights(state.arrays["objective"])
    fit_network(task, recorder, teacher, state)
    _finish(network, recorder, pretrained, config.publish.blend)
    return recorder.history


def _finish(
    network: Network, recorder: Recorder, pretrained: list[npt.NDArray[Any]], share: float
) -> None:
    """Load the selected weights, the backbone's blended with its ``pretrained`` ones where asked for.

    Wortsman et al., "Robust fine-tuning of zero-shot models", arXiv:2109.01903. The head stays as
    it was trained: it had no task before.
    """
    if recorder.selected_weights is not None:
        network.embedder.set_weights(recorder.selected_weights)
    if share < 1:
        pairs = zip(pretrained, network.backbone.get_weights(), strict=True)
        network.backbone.set_weights([old + share * (new - old) for old, new in pairs])
