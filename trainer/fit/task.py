"""The inputs of both stages of training."""

from dataclasses import dataclass

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from gemello.progress import track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.rows import FeatureFile
from trainer.network.embedder import Network
from trainer.network.features import predicted

Indices = npt.NDArray[np.int64]
# Images whose embeddings show spread and rank where there are no validation images.
_LOOKED_AT = 256


@dataclass(frozen=True, slots=True)
class Task:
    """``labels`` int32 [N] number the classes of ``train`` from 0.

    One ``objective`` serves both stages, so that its proxies and its memory go on; it is None for
    fixed triplets, which are not a loss of a batch and its labels.
    """

    network: Network
    train: ImageCache
    labels: npt.NDArray[np.int32]
    config: TrainConfig
    strategy: tf.distribute.Strategy
    objective: keras.layers.Layer | None

    def features(self, indices: Indices | None = None) -> FeatureFile:
        """Return pooled features of the training images, or of those at ``indices``, on disk."""
        images = self.train.images if indices is None else self.train.images.subset(indices)
        stored = FeatureFile(self.train.folder, self.network.features.output_shape[1])
        with track("pretrained features", len(images)) as advance:
            for chunk in predicted(self.network.features, images, advance):
                stored.append(chunk)
        return stored


def some(count: int) -> Indices:
    """Return a few of ``count`` indices, evenly spread: neighbours are of one class."""
    return np.unique(np.linspace(0, count - 1, min(count, _LOOKED_AT)).astype(np.int64))
