"""Fine-tuning: the stages that are not frozen, and the head, on augmented images."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gemello.progress import track
from trainer.batches import sampling
from trainer.batches.batch_sampler import BatchSampler
from trainer.batches.stream import Examples, stream
from trainer.fit.average import MovingAverage
from trainer.fit.checkpoint import State
from trainer.fit.history import Recorder
from trainer.fit.optimizer import make_optimizer
from trainer.fit.steps import Means, Step, training_step
from trainer.fit.task import Indices, Task, some
from trainer.losses.objective import mine
from trainer.network.features import predict


def fine_tune(task: Task, recorder: Recorder, state: State | None) -> None:
    """Train the layers that are not frozen.

    Goes on after the last recorded epoch with the optimiser and averages of ``state``. Every
    epoch has random numbers of its own, so that it is the same after an interruption. Raises
    ``TrainingFailed``, or ``DataError`` when the classes allow no pairs.
    """
    config = task.config
    examples = Examples(task.train.images, task.labels)
    replicas = task.strategy.num_replicas_in_sync
    sampler = BatchSampler(task.labels.tolist(), config.batch, replicas=replicas)
    variables = _trained(task)
    with task.strategy.scope():
        optimizer = make_optimizer(config.optimizer, sampler.steps * config.epochs)
        optimizer.build(variables)
    average = MovingAverage(variables, config.optimizer.ema, task.strategy)
    if state is not None:
        _restore(state, optimizer, average)
    step: Step | None = None
    for number in range(recorder.finished + 1, config.epochs + 1):
        mining = "semi_hard" if number <= config.loss.semi_hard_epochs else config.loss.mining
        if mine(task.objective, mining) or step is None:
            with task.strategy.scope():
                step = training_step(
                    task.network.trained, task.objective, optimizer, variables, task.strategy
                )
        data = task.strategy.distribute_datasets_from_function(
            _epoch(task, examples, sampler, number)
        )
        means, images = Means(), replicas * sampler.batch_size
        with track(f"epoch {number}/{config.epochs}", sampler.steps * images) as advance:
            for _, batch in zip(range(sampler.steps), data, strict=False):
                means.add(step(*batch))
                average.update()
                advance(images)
        with average.applied():
            shown = recorder.validation.images
            if not len(shown):
                shown = task.train.images.subset(some(len(task.labels)))
            embeddings = predict(task.network.embedder, shown)
            recorder.record(number, config.epochs, means, embeddings)
        recorder.save(
            {"average_steps": average.steps},
            objective=task.objective.get_weights(),
            optimizer=[np.asarray(variable) for variable in optimizer.variables],
            average=average.values,
        )


def _trained(task: Task) -> list[keras.Variable]:
    """The variables of the backbone as far as it is trained, and of the head."""
    network = task.network
    backbone = network.freeze(task.config.network.frozen_stages)
    return [*backbone, *network.head.trainable_variables]


def _epoch(
    task: Task, examples: Examples, sampler: BatchSampler, number: int
) -> Callable[[tf.distribute.InputContext], tf.data.Dataset]:
    """A function of the worker, which gets its share of the epoch's batches."""
    config = task.config
    neighbours = _neighbours(task) if config.batch.hard_classes else None
    batches = sampler.epoch(np.random.default_rng((config.seed, number)), neighbours)

    def dataset(context: tf.distribute.InputContext) -> tf.data.Dataset:
        worker, workers = context.input_pipeline_id, context.num_input_pipelines
        # The seed of what is augmented here, or every epoch and worker would have the same crops.
        drawn = np.random.default_rng((config.seed, number, worker)).integers(2**31)
        tf.random.set_seed(int(drawn))
        return stream(examples, batches[worker::workers], config.network.train_size, config.augment)

    return dataset


def _neighbours(task: Task) -> Indices:
    """The nearest classes of each, as the network sees them now."""
    embeddings = predict(task.network.embedder, task.train.images)
    centroids = sampling.class_centroids(embeddings, task.labels.tolist())
    return sampling.neighbour_classes(centroids, task.config.batch.classes)


def _restore(state: State, optimizer: keras.optimizers.Optimizer, average: MovingAverage) -> None:
    """Optimiser and average as they were saved after an epoch; after the heads alone there are none."""
    saved: dict[str, Any] = state.arrays
    if "optimizer" not in saved:
        return
    for variable, value in zip(optimizer.variables, saved["optimizer"], strict=True):
        variable.assign(value)
    average.restore(saved["average"], state.values["average_steps"])
