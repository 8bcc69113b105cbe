"""Cross-batch memory: past embeddings as more references. Wang et al. (XBM), arXiv:1912.06798."""

from typing import Any

import keras
from keras import ops

from trainer.losses.distances import pair_masks
from trainer.losses.pair_loss import PairLoss
from trainer.losses.stats import LossStats

Tensor = Any


@keras.saving.register_keras_serializable(package="gemello")
class CrossBatchMemory(keras.layers.Layer):  # type: ignore[misc]
    """A ring of the last ``size`` embeddings and labels, which ``loss`` compares a batch with, too.

    Called like any ``PairLoss``, with embeddings [N, ``dimension``]. Embeddings move so slowly that
    those of past batches still serve, as positives and negatives, but no gradient reaches them. The
    references are the batch itself and what the memory held before it; then the batch replaces the
    oldest. Only filled slots count. Raises ``ValueError`` for a size below 1.
    """

    def __init__(self, loss: PairLoss, size: int, dimension: int, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})
        if size < 1:
            raise ValueError(f"A memory of {size} embeddings holds nothing; take 1 or more.")
        self.loss, self.size, self.dimension = loss, size, dimension
        self._embeddings = _zeros("embeddings", (size, dimension), "float32")
        self._labels = _zeros("labels", (size,), "int32")
        # How many embeddings ever came: the next slot, and how many slots are filled.
        self._seen = _zeros("seen", (), "int32")
        self.built = True

    def call(self, embeddings: Tensor, labels: Tensor) -> LossStats:
        labels = ops.cast(labels, "int32")
        filled = ops.arange(self.size) < self._seen
        same = ops.equal(labels[:, None], self._labels[None, :])
        positives, negatives = pair_masks(labels)
        stats = self.loss.compare(
            embeddings,
            ops.concatenate([embeddings, ops.stop_gradient(self._embeddings.value)]),
            ops.concatenate([positives, ops.logical_and(same, filled)], axis=1),
            ops.concatenate([negatives, ops.logical_and(ops.logical_not(same), filled)], axis=1),
        )
        self._remember(ops.stop_gradient(embeddings), labels)
        return stats

    def _remember(self, embeddings: Tensor, labels: Tensor) -> None:
        # Of a batch larger than the memory only the last fit; a slot written twice would hold
        # either.
        embeddings, labels = embeddings[-self.size :], labels[-self.size :]
        count = ops.shape(labels)[0]
        indices = ((self._seen + ops.arange(count, dtype="int32")) % self.size)[:, None]
        self._embeddings.assign(ops.scatter_update(self._embeddings, indices, embeddings))
        self._labels.assign(ops.scatter_update(self._labels, indices, labels))
        self._seen.assign(self._seen + count)

    def get_config(self) -> dict[str, Any]:
        loss = keras.saving.serialize_keras_object(self.loss)
        own = {"loss": loss, "size": self.size, "dimension": self.dimension}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "CrossBatchMemory":
        loss = keras.saving.deserialize_keras_object(config["loss"])
        return cls(**{**config, "loss": loss})


def _zeros(name: str, shape: tuple[int, ...], dtype: str) -> keras.Variable:
    """A weight that no optimiser touches, and of which each replica of a strategy keeps its own.

    ``Layer.add_weight`` cannot ask for the latter.
    """
    return keras.Variable(
        "zeros",
        shape,
        dtype,
        trainable=False,
        synchronization="on_read",
        aggregation="only_first_replica",
        name=name,
    )
