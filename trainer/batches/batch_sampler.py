"""The batch sampler: which images make up the batches of an epoch of the whole network."""

import numpy as np

from trainer.batches import sampling
from trainer.batches.sampling import Indices
from trainer.config import BatchConfig
from trainer.network.siamese import draw_triplets


class BatchSampler:
    """P × K batches, or batches of triplets that were drawn once, before training.

    ``count`` batches make an epoch: a multiple of ``replicas``, each of which takes one a step.
    Raises ``DataError`` when the classes allow no pairs, or no triplets.
    """

    def __init__(
        self,
        labels: list[int],
        config: BatchConfig,
        *,
        replicas: int = 1,
        fixed_triplets: bool = False,
        seed: int = 0,
    ) -> None:
        self._labels, self._config = labels, config
        self._triplets: Indices | None = None
        if fixed_triplets:
            rng = np.random.default_rng(seed)
            self._triplets = draw_triplets(labels, len(labels), rng)
            self.batch_size = 3 * max(config.size // 3, 1)
            count = -(-3 * len(self._triplets) // self.batch_size)
        else:
            self.batch_size = config.size
            count = sampling.steps_per_epoch(labels, config.classes, single=config.single_images)
        self.steps = -(-(config.steps_per_epoch or count) // replicas)
        self.count = self.steps * replicas

    def epoch(self, rng: np.random.Generator, neighbours: Indices | None) -> list[Indices]:
        """Return indices of the batches of one epoch; of fixed triplets all anchors first, then positives."""
        if self._triplets is not None:
            size = self.batch_size // 3
            order = np.resize(rng.permutation(len(self._triplets)), (self.count, size))
            return [self._triplets[rows].T.reshape(-1) for rows in order]
        config = self._config
        return list(
            sampling.epoch_batches(
                self._labels,
                config.classes,
                config.images_per_class,
                rng,
                steps=self.count,
                neighbours=neighbours,
                hard=config.hard_classes,
                single=config.single_images,
            )
        )
