"""The inputs of training."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gemello.progress import track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.network.embedder import Network
from trainer.network.features import Floats

Indices = npt.NDArray[np.int64]
# Images whose embeddings show spread and rank where there are no validation images.
_LOOKED_AT = 256


@dataclass(frozen=True, slots=True)
class HeadFeatures:
    """What the backbone makes of training images: ``vectors`` [N, F], and their ``labels`` int32 [N]."""

    vectors: Floats
    labels: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Task:
    """``labels`` int32 [N] number the classes of ``train`` from 0."""

    network: Network
    train: ImageCache
    labels: npt.NDArray[np.int32]
    config: TrainConfig
    strategy: tf.distribute.Strategy
    objective: keras.layers.Layer

    def head_features(self, title: str) -> HeadFeatures:
        """Return what the network's features are of training images now; ``title`` is shown.

        Of whole classes drawn at random if there are many images.
        """
        rng = np.random.default_rng(self.config.seed)
        indices = _whole_classes(self.labels, self.config.data.head_images, rng)
        with track(title, len(indices)) as advance:
            rows = self.network.features.rows(self.train.subset(indices), advance)
        return HeadFeatures(np.asarray(rows[:], np.float32), self.labels[indices])


def some(count: int, most: int = _LOOKED_AT) -> Indices:
    """Return a few of ``count`` indices, evenly spread: neighbours are of one class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _whole_classes(labels: npt.NDArray[np.int32], most: int, rng: np.random.Generator) -> Indices:
    """Whole classes drawn at random, up to ``most`` images, in order; two classes at least."""
    sizes = np.bincount(labels)
    order = rng.permutation(len(sizes))
    classes = order[: max(int((sizes[order].cumsum() <= most).sum()), 2)]
    return np.flatnonzero(np.isin(labels, classes)).astype(np.int64)
