"""The first stage: heads on frozen features that are computed once, untrained ones and a trained one."""

import numpy as np
import tensorflow as tf

from app.bundle.whitening import fit_whitening
from trainer.batches import sampling
from trainer.fit import ladder
from trainer.fit.checkpoint import Weights
from trainer.fit.history import Recorder
from trainer.fit.optimizer import Parts, make_optimizer
from trainer.fit.steps import Means, head_step
from trainer.fit.task import HeadFeatures, Task
from trainer.losses.objective import mine
from trainer.network.embedder import as_head
from trainer.network.features import Floats, principal_axes


def untrained_heads(task: Task, features: HeadFeatures) -> dict[str, Weights]:
    """Return the heads that cost no labels: the features' principal axes, and their partial whitening."""
    known = features.some()
    dimension = min(task.config.network.dimension, known.shape[1])
    maps = {
        ladder.PRETRAINED: principal_axes(known, dimension),
        ladder.ADAPTED: fit_whitening(known, dimension),
    }
    return {name: as_head(linear, task.network.head) for name, linear in maps.items()}


def fit_head(task: Task, recorder: Recorder, validation: Floats, features: HeadFeatures) -> None:
    """Train the head from where it is; an epoch takes seconds.

    ``validation`` float32 [V, F] are the features of the validation images. Raises
    ``TrainingFailed``, or ``DataError`` when fewer than two classes have two images.
    """
    config, objective = task.config, task.objective
    rng = np.random.default_rng(config.seed)
    mine(objective, "semi_hard" if config.loss.semi_hard_epochs else config.loss.mining)
    labels = features.labels.tolist()
    shape = sampling.batch_shape(labels, config.batch.classes, config.batch.images_per_class)
    steps = sampling.steps_per_epoch(labels, shape)
    with task.strategy.scope():
        model = task.network.top
        optimizer = make_optimizer(
            config.optimizer.head_learning_rate, config.head_epochs * steps, config.optimizer
        )
        parts = Parts((optimizer, [*model.trainable_variables, *objective.trainable_variables]))
        step = head_step(model, objective, parts, task.strategy)
    shown = validation if len(validation) else features.some()
    for number in range(1, config.head_epochs + 1):
        means = Means()
        for batch in sampling.epoch_batches(labels, shape, rng, steps=steps):
            means.add(step(tf.constant(features.rows[batch]), tf.constant(features.labels[batch])))
        embeddings = np.asarray(model(shown), np.float32)
        recorder.record("head", number, config.head_epochs, means, embeddings)
