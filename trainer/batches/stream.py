"""Batches for the network: read from disk and augmented beside the training step."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from trainer.batches.augment import augment
from trainer.config import AugmentConfig
from trainer.data.rows import ImageFile

Indices = npt.NDArray[np.int64]
# Batches that wait augmented: memory for speed.
_AHEAD = 2


@dataclass(frozen=True, slots=True)
class Examples:
    """Images on disk uint8 [N, C, C, 3], and their labels int [N]."""

    images: ImageFile
    labels: npt.NDArray[np.int32]


def stream(
    examples: Examples, batches: Sequence[Indices], size: int, config: AugmentConfig
) -> tf.data.Dataset:
    """Return one epoch of (images uint8 [B, S, S, 3], labels int32 [B]).

    ``batches`` are drawn beforehand: an error in drawing them is then not wrapped in one of TensorFlow's.
    """
    cached = examples.images.shape[1:]

    def read() -> Iterator[tuple[Any, Any]]:
        for batch in batches:
            yield examples.images[batch], examples.labels[batch]

    signature = (
        tf.TensorSpec((None, *cached), tf.uint8),
        tf.TensorSpec((None,), tf.int32),
    )
    drawn = tf.data.Dataset.from_generator(read, output_signature=signature)
    augmented = drawn.map(
        lambda x, y: (augment(x, size, config), y), num_parallel_calls=1, deterministic=True
    ).prefetch(_AHEAD)
    # Nothing is left to TensorFlow to tune, and its tuner may sleep on when an epoch is over: half a
    # minute in which the next one cannot begin.
    options = tf.data.Options()
    options.autotune.enabled = False
    return augmented.with_options(options)
