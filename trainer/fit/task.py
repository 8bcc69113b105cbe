"""The inputs of both stages of training."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gemello.progress import track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.rows import RowFile
from trainer.network.embedder import Network
from trainer.network.features import Floats

Indices = npt.NDArray[np.int64]
# Images whose embeddings show spread and rank where there are no validation images.
_LOOKED_AT = 256
# Features that a whitening is fitted on; more change it little.
_FITTED_ON = 10_000


@dataclass(frozen=True, slots=True)
class HeadFeatures:
    """Frozen features on disk, ``rows`` [N, F], and their ``labels`` int32 [N]."""

    rows: RowFile
    labels: npt.NDArray[np.int32]

    def some(self) -> Floats:
        """Return features enough to see how they are distributed, float32 [≤ 10,000, F]."""
        return np.asarray(self.rows[some(len(self.rows), _FITTED_ON)], np.float32)


@dataclass(frozen=True, slots=True)
class Task:
    """``labels`` int32 [N] number the classes of ``train`` from 0.

    One ``objective`` serves both stages, so that its proxies and its memory go on.
    """

    network: Network
    train: ImageCache
    labels: npt.NDArray[np.int32]
    config: TrainConfig
    strategy: tf.distribute.Strategy
    objective: keras.layers.Layer

    def head_features(self) -> HeadFeatures:
        """Return frozen features of the training images, of whole classes drawn at random if there are many."""
        rng = np.random.default_rng(self.config.seed)
        indices = _whole_classes(self.labels, self.config.data.head_images, rng)
        with track("pretrained features", len(indices)) as advance:
            rows = self.network.features.rows(self.train.subset(indices), advance)
        return HeadFeatures(rows, self.labels[indices])


def some(count: int, most: int = _LOOKED_AT) -> Indices:
    """Return a few of ``count`` indices, evenly spread: neighbours are of one class."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).astype(np.int64))


def _whole_classes(labels: npt.NDArray[np.int32], most: int, rng: np.random.Generator) -> Indices:
    """Whole classes drawn at random, up to ``most`` images, in order; two classes at least."""
    sizes = np.bincount(labels)
    order = rng.permutation(len(sizes))
    classes = order[: max(int((sizes[order].cumsum() <= most).sum()), 2)]
    return np.flatnonzero(np.isin(labels, classes)).astype(np.int64)
