"""One training step, compiled, on one device or on the replicas of a ``tf.distribute`` strategy."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from trainer.fit.optimizer import Parts
from trainer.losses.distances import mean_pairwise_distance

Tensor = Any
Step = Callable[..., tuple[Tensor, Tensor, Tensor]]


class Means:
    """Means over an epoch's steps of loss, active part and mean distance; ``seconds`` they took."""

    def __init__(self) -> None:
        self._rows: list[tuple[Tensor, ...]] = []
        self._began = time.monotonic()
        self.seconds = 0.0

    def add(self, row: tuple[Tensor, ...]) -> None:
        self._rows.append(row)
        self.seconds = time.monotonic() - self._began

    def values(self) -> tuple[float, float, float]:
        loss, active, distance = (
            float(np.mean([float(value) for value in column]))
            for column in zip(*self._rows, strict=True)
        )
        return loss, active, distance


def head_step(
    top: keras.Model, objective: keras.layers.Layer, parts: Parts, strategy: tf.distribute.Strategy
) -> Step:
    """Return ``step(features [B, F], labels [B])``; every replica sees the same batch."""

    def forward(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embeddings = top(features, training=True)
        loss, active = objective(embeddings, labels)
        return loss, active, mean_pairwise_distance(embeddings)

    return _compiled(forward, parts, strategy)


def network_step(
    embedder: keras.Model,
    objective: keras.layers.Layer,
    parts: Parts,
    strategy: tf.distribute.Strategy,
) -> Step:
    """Return ``step(images [B, S, S, 3], labels [B])``."""

    def forward(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embeddings = embedder(images, training=True)
        loss, active = objective(embeddings, labels)
        return loss, active, mean_pairwise_distance(embeddings)

    return _compiled(forward, parts, strategy)


def _compiled(
    forward: Callable[..., tuple[Tensor, Tensor, Tensor]],
    parts: Parts,
    strategy: tf.distribute.Strategy,
) -> Step:
    replicas = strategy.num_replicas_in_sync

    def replica(*batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            loss, active, distance = forward(*batch)
            # The optimiser adds up the replicas' gradients.
            shared = loss / replicas
        parts.apply(tape.gradient(shared, parts.variables))
        return loss, active, distance

    @tf.function  # type: ignore[untyped-decorator]
    def step(*batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        results = strategy.run(replica, args=batch)
        return tuple(strategy.reduce("MEAN", value, axis=None) for value in results)

    return step  # type: ignore[no-any-return]
