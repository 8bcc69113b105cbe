"""One training step, compiled, on one device or on the replicas of a ``tf.distribute`` strategy."""

import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

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


def training_step(
    embedder: keras.Model,
    objective: keras.layers.Layer,
    optimizer: keras.optimizers.Optimizer,
    variables: list[keras.Variable],
    strategy: tf.distribute.Strategy,
) -> Step:
    """Return ``step(images [B, S, S, 3], labels [B])``, with which ``optimizer`` moves ``variables``."""
    replicas = strategy.num_replicas_in_sync

    def replica(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        with tf.GradientTape() as tape:
            embeddings = embedder(images, training=True)
            loss, active = objective(embeddings, labels)
            # The optimiser adds up the replicas' gradients.
            shared = loss / replicas
        optimizer.apply_gradients(zip(tape.gradient(shared, variables), variables, strict=True))
        return loss, active, mean_pairwise_distance(embeddings)

    @tf.function  # type: ignore[untyped-decorator]
    def step(*batch: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        results = strategy.run(replica, args=batch)
        return tuple(strategy.reduce("MEAN", value, axis=None) for value in results)

    return step  # type: ignore[no-any-return]
