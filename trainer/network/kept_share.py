"""How much of an embedding the pretrained features hold, by how familiar the picture is.

Fine-tuning improves what it was shown and forgets the rest. So a picture like those trained on
leaves more to the trained part, and one unlike them more to what the backbone knew before.
"""

from typing import Any

import keras
import numpy as np

from trainer.network.features import Floats, unit

_MOST_AXES = 128
# Axes from fewer images than this for each would hold those images, and no others.
_IMAGES_FOR_EACH = 8


def familiar(features: Floats) -> list[Floats]:
    """Return where training images lie, by their pretrained ``features`` float32 [N, F]; a ``KeptShare``'s weights.

    Their mean [F], principal axes [F, A], and the part of a typical (median) image's squared
    distance from the mean that lies along the axes. A does not depend on N.
    """
    vectors = unit(features)
    mean = vectors.mean(axis=0)
    centred = vectors - mean
    count, width = centred.shape
    _, _, found = np.linalg.svd(centred, full_matrices=False)
    used = min(_MOST_AXES, max(1, count // _IMAGES_FOR_EACH), width)
    axes = np.zeros((width, min(_MOST_AXES, width)), np.float32)
    axes[:, :used] = found[:used].T
    along = np.square(centred @ axes).sum(axis=1)
    whole = np.square(centred).sum(axis=1)
    return [mean, axes, np.median(along / np.maximum(whole, 1e-12)).astype(np.float32)]


@keras.saving.register_keras_serializable(package="gemello")
class KeptShare(keras.layers.Layer):  # type: ignore[misc]
    """Pretrained features [N, F] → [N, 1]: ``like`` for familiar pictures, up to ``unlike``.

    ``unlike`` + (``like`` − ``unlike``) · f³, where f, 0–1, is the part of the squared distance from the
    training images' mean that lies in their principal subspace, relative to the typical one. It
    does not learn; its weights come from ``familiar``.
    """

    def __init__(self, like: float, unlike: float, **options: Any) -> None:
        # Shares of squared lengths need the whole precision.
        super().__init__(**{"dtype": "float32", **options})
        self.like, self.unlike = like, unlike

    def build(self, input_shape: tuple[int | None, int]) -> None:
        width = input_shape[-1]

        def zeros(name: str, *shape: int) -> keras.Variable:
            return self.add_weight(name=name, shape=shape, initializer="zeros", trainable=False)

        self.mean = zeros("mean", width)
        self.axes = zeros("axes", width, min(_MOST_AXES, width))
        self.typical = zeros("typical")
        super().build(input_shape)

    def call(self, features: Any) -> Any:
        ops = keras.ops
        centred = ops.normalize(features, axis=-1) - self.mean
        along = ops.sum(ops.square(ops.matmul(centred, self.axes)), axis=-1, keepdims=True)
        whole = ops.sum(ops.square(centred), axis=-1, keepdims=True)
        inside = along / ops.maximum(whole, 1e-12)
        familiarity = ops.minimum(inside / ops.maximum(self.typical, 1e-6), 1.0)
        return self.unlike + (self.like - self.unlike) * familiarity**3

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "like": self.like, "unlike": self.unlike}


@keras.saving.register_keras_serializable(package="gemello")
class Shared(keras.layers.Layer):  # type: ignore[misc]
    """Unit vectors [N, D], [N, K] and the second's share, [N, 1] or a number → [N, D + K], at unit length.

    Squared lengths of the parts are 1 − share and share.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"dtype": "float32", **options})

    def call(self, trained: Any, kept: Any, share: Any) -> Any:
        ops = keras.ops
        return ops.concatenate([trained * ops.sqrt(1 - share), kept * ops.sqrt(share)], axis=-1)
