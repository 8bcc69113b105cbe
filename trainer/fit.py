"""Training: the head on frozen features first, then the whole network, best weights kept."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from app.images import Pixels
from trainer.augment import augment
from trainer.cache import ImageCache
from trainer.config import TrainConfig
from trainer.data import numbered
from trainer.errors import TrainingFailed
from trainer.evaluate import Labelled, retrieval
from trainer.losses.distances import mean_pairwise_distance
from trainer.losses.objective import make_objective
from trainer.network import Network
from trainer.progress import say, track
from trainer.sampling import epoch_batches, steps_per_epoch

Tensor = Any

_PREDICT_BATCH = 64
# Below this mean distance of unit vectors everything lies in one place.
_COLLAPSED = 0.02


@dataclass
class Epoch:
    """What one epoch looked like; ``recall`` is Recall@1 on the validation classes."""

    stage: str
    loss: float
    active: float
    distance: float
    recall: float | None


@dataclass
class History:
    """``untrained`` is Recall@1 of the pretrained features on the validation classes."""

    untrained: float | None
    epochs: list[Epoch] = field(default_factory=list)
    best: float | None = None


def fit(
    network: Network, train: ImageCache, validation: ImageCache, config: TrainConfig
) -> History:
    """Train ``network`` in place and leave the best weights in it.

    ``train`` holds images at ``config.cache_size``, ``validation`` at ``config.input_size``; without
    two validation images of a class the last weights count as the best.
    Raises ``DataError`` or ``TrainingFailed``.
    """
    labels = numbered(train.records)
    rng = np.random.default_rng(config.seed)
    judge = _Judge(validation)
    history = History(judge.recall(_unit(_predict(network.features, validation.images))))
    keeper = _Keeper(network.embedder, history)
    if config.head_epochs:
        _fit_head(network, train, labels, rng, config, judge, keeper)
    if config.epochs:
        _fit_all(network, train, labels, rng, config, judge, keeper)
    keeper.restore()
    return history


def _fit_head(
    network: Network,
    train: ImageCache,
    labels: Sequence[int],
    rng: np.random.Generator,
    config: TrainConfig,
    judge: "_Judge",
    keeper: "_Keeper",
) -> None:
    """Features are computed once, without augmentation; then an epoch takes a second."""
    features = _predict(network.features, train.images)
    judged = _predict(network.features, judge.images)
    head = keras.Sequential([keras.Input(features.shape[1:]), network.head])
    steps = steps_per_epoch(labels, config.classes_per_batch)
    optimizer = _optimizer(config.head_learning_rate, config.head_epochs * steps, config)
    optimizer.build(head.trainable_variables)
    objective = make_objective(config, len(set(labels)))

    @tf.function  # type: ignore[untyped-decorator]
    def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            embeddings = _unit_tensor(head(x, training=True))
            stats = objective(embeddings, y)
        gradients = tape.gradient(stats.loss, head.trainable_variables)
        optimizer.apply_gradients(zip(gradients, head.trainable_variables, strict=True))
        return stats.loss, stats.active, mean_pairwise_distance(embeddings)

    for number in range(config.head_epochs):
        batches = _batches(labels, rng, config)
        seen = [_numbers(step(features[b], np.take(labels, b))) for b in batches]
        recall = judge.recall(_unit(np.asarray(head(judged)))) if len(judged) else None
        keeper.record(_epoch("head", seen, recall, config), number + 1, config.head_epochs)


def _fit_all(
    network: Network,
    train: ImageCache,
    labels: Sequence[int],
    rng: np.random.Generator,
    config: TrainConfig,
    judge: "_Judge",
    keeper: "_Keeper",
) -> None:
    model = network.embedder
    backbone = network.backbone.trainable_variables
    own = {id(variable) for variable in backbone}
    rest = [v for v in model.trainable_variables if id(v) not in own]
    steps = steps_per_epoch(labels, config.classes_per_batch)
    total = steps * config.epochs
    slow = _optimizer(config.learning_rate, total, config)
    fast = _optimizer(config.head_learning_rate, total, config)
    slow.build(backbone)
    fast.build(rest)

    def compiled(objective: Any) -> Any:
        @tf.function  # type: ignore[untyped-decorator]
        def step(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            with tf.GradientTape() as tape:
                embeddings = model(x, training=True)
                stats = objective(embeddings, y)
            gradients = tape.gradient(stats.loss, [*backbone, *rest])
            slow.apply_gradients(zip(gradients[: len(backbone)], backbone, strict=True))
            fast.apply_gradients(zip(gradients[len(backbone) :], rest, strict=True))
            return stats.loss, stats.active, mean_pairwise_distance(embeddings)

        return step

    classes = len(set(labels))
    first = compiled(make_objective(config, classes, mining="semi_hard"))
    later = first if config.mining == "semi_hard" else compiled(make_objective(config, classes))
    for number in range(config.epochs):
        step = first if number < config.semi_hard_epochs else later
        seen = []
        with track(f"epoch {number + 1}/{config.epochs}", steps * config.batch_size) as advance:
            for images, y in _stream(train, labels, rng, config):
                seen.append(_numbers(step(images, y)))
                advance(len(y))
        recall = judge.recall(_predict(model, judge.images))
        keeper.record(_epoch("network", seen, recall, config), number + 1, config.epochs)


def _stream(
    train: ImageCache, labels: Sequence[int], rng: np.random.Generator, config: TrainConfig
) -> tf.data.Dataset:
    """One epoch of augmented batches; reading and augmenting run beside the training step."""
    size = config.cache_size

    def read() -> Iterator[tuple[Pixels, "np.ndarray[Any, Any]"]]:
        for batch in _batches(labels, rng, config):
            yield train.images[batch], np.take(labels, batch).astype(np.int32)

    signature = (
        tf.TensorSpec((None, size, size, 3), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    )
    batches = tf.data.Dataset.from_generator(read, output_signature=signature)
    return batches.map(
        lambda x, y: (augment(x, config), y), num_parallel_calls=1, deterministic=True
    ).prefetch(2)


def _batches(
    labels: Sequence[int], rng: np.random.Generator, config: TrainConfig
) -> Iterator["np.ndarray[Any, Any]"]:
    return epoch_batches(labels, config.classes_per_batch, config.images_per_class, rng)


class _Judge:
    """Recall@1 on the validation images, each searched in all the others."""

    def __init__(self, validation: ImageCache) -> None:
        self.images = validation.images
        self._labels = np.array(numbered(validation.records), dtype=object)
        counts = {label: int((self._labels == label).sum()) for label in set(self._labels)}
        self._paired = np.array([counts[label] > 1 for label in self._labels], bool)

    def recall(self, embeddings: "np.ndarray[Any, Any]") -> float | None:
        if not self._paired.any():
            return None
        figures = retrieval(Labelled(embeddings, self._labels).subset(self._paired))
        return float(figures["recall@1"])


class _Keeper:
    """Writes the history, shows it, and keeps the best weights."""

    def __init__(self, model: keras.Model, history: History) -> None:
        self._model, self._history = model, history
        self._weights: list[Any] | None = None

    def record(self, epoch: Epoch, number: int, count: int) -> None:
        self._history.epochs.append(epoch)
        shown = "" if epoch.recall is None else f", validation recall@1 {epoch.recall:.4f}"
        say(
            f"{epoch.stage} {number}/{count}: loss {epoch.loss:.4f}, active {epoch.active:.0%}, "
            f"mean distance {epoch.distance:.3f}{shown}"
        )
        best = self._history.best
        if epoch.recall is None or best is None or epoch.recall >= best:
            self._history.best = epoch.recall
            self._weights = self._model.get_weights()

    def restore(self) -> None:
        if self._weights is not None:
            self._model.set_weights(self._weights)


def _epoch(
    stage: str, seen: list[tuple[float, float, float]], recall: float | None, config: TrainConfig
) -> Epoch:
    """The means of an epoch's batches. Raises ``TrainingFailed`` when they show a dead network."""
    loss, active, distance = (float(np.mean(column)) for column in zip(*seen, strict=True))
    if not math.isfinite(loss):
        raise TrainingFailed("The loss is not a number; lower learning_rate or raise margin.")
    if distance < _COLLAPSED:
        raise TrainingFailed(
            f"The network collapsed: all embeddings lie within {distance:.4f} of each other and the "
            f"loss stays at the margin ({loss:.3f} of {config.margin}). Lower learning_rate and "
            "head_learning_rate, or use semi_hard mining for more epochs."
        )
    return Epoch(stage, round(loss, 5), round(active, 4), round(distance, 4), recall)


def _optimizer(rate: float, steps: int, config: TrainConfig) -> keras.optimizers.Optimizer:
    warm = int(steps * config.warmup)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warm else rate,
        max(steps - warm, 1),
        alpha=0.01,
        warmup_target=rate if warm else None,
        warmup_steps=warm,
    )
    return keras.optimizers.AdamW(schedule, weight_decay=config.weight_decay)


def _predict(model: keras.Model, images: Pixels) -> "np.ndarray[Any, Any]":
    """uint8 [N, any, any, 3] → float32 [N, D], a chunk at a time: a memory map is never read whole.

    Images of another size than the model's are shrunk to it, with antialiasing as in serving.
    """
    size = model.input_shape[1]
    chunks = []
    for start in range(0, len(images), _PREDICT_BATCH):
        chunk: Tensor = np.asarray(images[start : start + _PREDICT_BATCH])
        if chunk.shape[1] != size:
            resized = tf.image.resize(chunk, (size, size), "bicubic", antialias=True)
            chunk = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
        chunks.append(np.asarray(model.predict_on_batch(chunk)))
    return np.concatenate(chunks) if chunks else np.empty((0, model.output_shape[1]), np.float32)


def _unit(vectors: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


def _unit_tensor(vectors: Tensor) -> Tensor:
    return ops.normalize(vectors, axis=-1)


def _numbers(stats: tuple[Tensor, Tensor, Tensor]) -> tuple[float, float, float]:
    loss, active, distance = (float(value) for value in stats)
    return loss, active, distance
