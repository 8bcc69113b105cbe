"""What the losses over pairs and triplets of a batch share as Keras layers."""

from typing import Any

import keras

from trainer.losses.distances import pair_masks
from trainer.losses.stats import LossStats

Tensor = Any


class PairLoss(keras.layers.Layer):  # type: ignore[misc]
    """``layer(embeddings, labels)`` of float [N, D], of unit length, and int [N] → ``LossStats``.

    It computes in float32 whatever the global precision is: differences of distances are small.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self.built = True

    def call(self, embeddings: Tensor, labels: Tensor) -> LossStats:
        return self.compare(embeddings, embeddings, *pair_masks(labels))

    def compare(
        self, embeddings: Tensor, references: Tensor, positives: Tensor, negatives: Tensor
    ) -> LossStats:
        """Return the loss of [N, D] against references [M, D], paired by bool masks [N, M]."""
        raise NotImplementedError
