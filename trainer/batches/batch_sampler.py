"""The batch sampler: which images make up the batches of an epoch of the whole network."""

import numpy as np

from trainer.batches import sampling
from trainer.batches.sampling import Indices
from trainer.config import BatchConfig


class BatchSampler:
    """P × K batches.

    ``count`` batches make an epoch: a multiple of ``replicas``, each of which takes one a step.
    Raises ``DataError`` when the classes allow no pairs.
    """

    def __init__(self, labels: list[int], config: BatchConfig, *, replicas: int = 1) -> None:
        self._labels, self._config = labels, config
        self._shape = sampling.batch_shape(
            labels, config.classes, config.images_per_class, config.single_images
        )
        self.batch_size = self._shape.size
        count = config.steps_per_epoch or sampling.steps_per_epoch(labels, self._shape)
        self.steps = -(-count // replicas)
        self.count = self.steps * replicas

    def epoch(self, rng: np.random.Generator, neighbours: Indices | None) -> list[Indices]:
        """Return indices of the batches of one epoch."""
        batches = sampling.epoch_batches(
            self._labels,
            self._shape,
            rng,
            steps=self.count,
            neighbours=neighbours,
            hard=self._config.hard_classes,
        )
        return list(batches)
