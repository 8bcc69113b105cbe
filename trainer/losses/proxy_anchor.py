"""Proxy-Anchor loss: one learnt vector stands for each class. Kim et al., arXiv:2003.13911."""

from typing import Any

import keras
from keras import ops

from trainer.losses.distances import cosine_similarity
from trainer.losses.stats import LossStats, masked_log_one_plus_sum, masked_mean

Tensor = Any


def proxy_anchor(
    similarities: Tensor, labels: Tensor, *, alpha: float = 32.0, delta: float = 0.1
) -> LossStats:
    """Return the mean over proxies of log(1 + Σ e^(−α(s−δ))) + log(1 + Σ e^(α(s+δ))).

    ``similarities`` are the cosines, float32 [N, C], of embeddings and the proxies of all C
    classes, ``labels`` int [N] within 0 to C − 1. The first sum is over a proxy's own embeddings,
    and its mean over the proxies that have some in the batch; the second over all others.
    ``active`` is the part of embeddings that are not 2δ nearer to their own proxy than to others.
    """
    classes = ops.arange(ops.shape(similarities)[1], dtype=labels.dtype)
    own = ops.equal(labels[:, None], classes[None, :])
    others = ops.logical_not(own)
    pull = masked_log_one_plus_sum(-alpha * (similarities - delta), own, axis=0)
    push = masked_log_one_plus_sum(alpha * (similarities + delta), others, axis=0)
    loss = masked_mean(pull, ops.any(own, axis=0)) + ops.mean(push)
    nearest = ops.max(ops.where(others, similarities, -1.0), axis=1)
    itself = ops.max(ops.where(own, similarities, -1.0), axis=1)
    active = ops.mean(ops.cast(nearest + delta > itself - delta, "float32"))
    return LossStats(loss, active)


@keras.saving.register_keras_serializable(package="gemello")
class ProxyAnchorLoss(keras.layers.Layer):  # type: ignore[misc]
    """``proxy_anchor``, whose proxies are the layer's one trainable weight [classes, dimension].

    Called with float [N, dimension] and int [N], each label below ``classes``. Proxies have much to
    travel: the paper gives them 100 times the backbone's learning rate.
    """

    def __init__(
        self,
        classes: int,
        dimension: int,
        alpha: float = 32.0,
        delta: float = 0.1,
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**{"dtype": "float32", **options})
        self._own = {"classes": classes, "dimension": dimension, "seed": seed}
        self.alpha, self.delta = alpha, delta
        # About unit length, as the embeddings: a step then turns both about as far.
        self.proxies = self.add_weight(
            name="proxies",
            shape=(classes, dimension),
            initializer=keras.initializers.RandomNormal(stddev=dimension**-0.5, seed=seed),
        )
        self.built = True

    def call(self, embeddings: Tensor, labels: Tensor) -> LossStats:
        similarities = cosine_similarity(embeddings, self.proxies)
        return proxy_anchor(similarities, labels, alpha=self.alpha, delta=self.delta)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self._own, "alpha": self.alpha, "delta": self.delta}
