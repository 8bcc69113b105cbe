"""The first stage: the head alone, on frozen features that are computed once."""

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.batches import sampling
from trainer.data.rows import FeatureFile
from trainer.fit.history import Recorder
from trainer.fit.optimizer import Parts, make_optimizer
from trainer.fit.steps import Means, head_step
from trainer.fit.task import Indices, Task, some
from trainer.losses.objective import mine
from trainer.network.features import Floats, principal_axes
from trainer.network.kept_share import familiar

# Features that the principal axes are taken from; more change them little.
_AXES_FROM = 10_000


def fit_head(
    task: Task, recorder: Recorder, validation: Floats, frozen: FeatureFile | None
) -> None:
    """Turn the head to the features' principal axes, then train it; an epoch takes seconds.

    ``validation`` float32 [V, F] are the features of the validation images, ``frozen`` [N, F] those of
    all training images where they are at hand. Fixed triplets have no use for this stage. Raises
    ``TrainingFailed``, or ``DataError`` when fewer than two classes have two images.
    """
    config, head = task.config, task.network.head
    kept = task.network.kept
    turned = isinstance(head, keras.layers.Dense)
    objective = task.objective if config.head_epochs else None
    if not turned and kept is None and objective is None:
        return
    rng = np.random.default_rng(config.seed)
    indices = _head_images(task.labels, config.data.head_images, rng)
    features = task.features(indices) if frozen is None else frozen.subset(indices)
    if turned:
        few = np.sort(rng.permutation(len(features))[:_AXES_FROM])
        head.set_weights([principal_axes(features[few], config.network.dimension, rng)])
    if kept is not None:
        # Of all images, those of one-image classes too: the pretrained axes must fit any picture.
        anywhere = np.sort(rng.permutation(len(task.labels))[:_AXES_FROM])
        shown = task.features(anywhere) if frozen is None else frozen.subset(anywhere)
        kept.set_weights([principal_axes(shown[:], config.network.keep_dimension, rng)])
        if task.network.share is not None:
            task.network.share.set_weights(familiar(shown[:]))
    if objective is not None:
        _train(task, objective, recorder, validation, features, task.labels[indices], rng)


def _train(
    task: Task,
    objective: keras.layers.Layer,
    recorder: Recorder,
    validation: Floats,
    features: FeatureFile,
    labels: npt.NDArray[np.int32],
    rng: np.random.Generator,
) -> None:
    config = task.config
    mine(objective, "semi_hard" if config.loss.semi_hard_epochs else config.loss.mining)
    steps = sampling.steps_per_epoch(labels.tolist(), config.batch.classes)
    with task.strategy.scope():
        model = task.network.top
        optimizer = make_optimizer(
            config.optimizer.head_learning_rate, config.head_epochs * steps, config.optimizer
        )
        parts = Parts((optimizer, [*model.trainable_variables, *objective.trainable_variables]))
        step = head_step(model, objective, parts, task.strategy)
    shown_features = validation if len(validation) else features[some(len(features))]
    for number in range(1, config.head_epochs + 1):
        means = Means()
        for batch in sampling.epoch_batches(
            labels.tolist(), config.batch.classes, config.batch.images_per_class, rng
        ):
            means.add(step(tf.constant(features[batch]), tf.constant(labels[batch])))
        embeddings = np.asarray(model(shown_features), np.float32)
        recorder.record("head", number, config.head_epochs, means, embeddings)
    recorder.save({}, objective=objective.get_weights())


def _head_images(labels: npt.NDArray[np.int32], most: int, rng: np.random.Generator) -> Indices:
    """Whole classes of two images or more, drawn at random, up to ``most`` images, in order."""
    sizes = np.bincount(labels)
    order = rng.permutation(np.flatnonzero(sizes > 1))
    classes = order[: max(int((sizes[order].cumsum() <= most).sum()), 2)]
    return np.flatnonzero(np.isin(labels, classes)).astype(np.int64)
