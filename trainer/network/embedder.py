"""The embedding network: uint8 RGB in, preprocessing and a pretrained backbone inside, unit vectors out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from app.bundle.linear_map import LinearMap
from trainer.config import NetworkConfig
from trainer.network.backbones import build_backbone, deeper_layers, preprocessed
from trainer.network.features import Features, KerasFeatures

Tensor = Any
# Any side that every backbone halves as often as it can.
_SIDE = 256


@dataclass(frozen=True, slots=True)
class Network:
    """Models that share their layers.

    ``features`` makes unit float32 [N, F] of images, as ``untrained`` does; ``embedder`` takes uint8
    [N, S, S, 3] and gives unit float32 [N, D]. ``top`` is the head and what makes its output an
    embedding: features in, embeddings out. ``trained`` is the embedder for crops of
    ``NetworkConfig.train_size``. Where the features are not those of a Keras model (``on_features``), ``backbone``
    is empty, and ``top`` is all that there is to ``embedder`` and ``trained``.
    """

    backbone: keras.Model
    features: Features
    head: keras.layers.Layer
    top: keras.Model
    embedder: keras.Model
    trained: keras.Model

    def freeze(self, stages: int) -> list[keras.Variable]:
        """Keep the backbone's first ``stages`` as they are; return what is trained.

        A stage is what lies between two steps of the resolution: five in the usual networks.
        """
        below = self.backbone.layers[: _count(self.backbone, stages)]
        frozen = {id(variable) for layer in below for variable in layer.variables}
        return [v for v in self.backbone.trainable_variables if id(v) not in frozen]


def build(config: NetworkConfig) -> Network:
    """Return the whole network, its backbone pretrained and its head drawn from the global seed.

    Raises ``WeightsError`` when the pretrained weights cannot be had.
    """
    backbone, pretrained = _backbone(config)
    head, embedding = _head(config.dimension)
    images, features = pretrained(config.input_size)
    crops, of_crops = pretrained(config.train_size)
    known = keras.Input(features.shape[1:], name="features")
    return Network(
        backbone,
        KerasFeatures(keras.Model(images, features, name="features")),
        head,
        keras.Model(known, embedding(known), name="top"),
        keras.Model(images, embedding(features), name="gemello"),
        keras.Model(crops, embedding(of_crops), name="gemello_of_crops"),
    )


def on_features(features: Features, width: int, dimension: int) -> Network:
    """Return a head on unit ``features`` [N, ``width``], drawn from the global seed; no more of it can be trained."""
    head, embedding = _head(dimension)
    known = keras.Input((width,), name="features")
    top = keras.Model(known, embedding(known), name="top")
    return Network(keras.Sequential(name="nothing"), features, head, top, top, top)


def _head(dimension: int) -> tuple[keras.layers.Layer, Callable[[Tensor], Tensor]]:
    """A linear layer, and a function that makes embeddings of features with it."""
    head = keras.layers.Dense(dimension, kernel_initializer="orthogonal", name="head")
    # Lengths are sums of many squares: they need the whole precision.
    unit = keras.layers.UnitNormalization(name="embedding", dtype="float32")
    return head, lambda features: unit(head(features))


def untrained(config: NetworkConfig) -> keras.Model:
    """Return pretrained features without any training, uint8 [N, S, S, 3] → unit float32 [N, F].

    Pooled maps of several depths of the backbone, each at unit length: the deepest know ImageNet's
    classes best, the others what does not matter to those.
    """
    images, features = _backbone(config)[1](config.input_size)
    return keras.Model(images, features, name=f"{config.backbone}_untrained")


def as_head(linear: LinearMap, head: keras.layers.Layer) -> list[npt.NDArray[np.float32]]:
    """Return the weights with which ``head`` does what ``linear`` does.

    Dimensions that ``linear`` lacks stay nearly as they were drawn: of no weight at the start, but not
    without a gradient.
    """
    kernel, bias = (np.asarray(weights) for weights in head.get_weights())
    kernel, bias = 1e-3 * kernel, np.zeros_like(bias)
    count = linear.matrix.shape[1]
    kernel[:, :count], bias[:count] = linear.matrix, linear.offset
    return [kernel, bias]


def in_float32(weights: Sequence[npt.NDArray[Any]], config: NetworkConfig) -> keras.Model:
    """Return an embedder with those ``weights`` that computes in float32, whatever it was trained in."""
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        other = build(config).embedder
    finally:
        keras.config.set_dtype_policy(policy)
    other.set_weights(list(weights))
    return other


def _count(backbone: keras.Model, stages: int) -> int:
    """How many of ``backbone.layers`` the first ``stages`` have."""
    return sum(1 for stage in _stages(backbone) if stage < stages)


def _stages(backbone: keras.Model) -> Iterator[int]:
    """The stage of every layer, from 0: steps since the first layer that is trained."""
    # The backbone takes any size, so that its layers have none of their own.
    outputs = [layer.output for layer in backbone.layers]
    shapes = keras.Model(backbone.input, outputs)(keras.Input((_SIDE, _SIDE, 3)))
    side, steps, first = _SIDE, 0, None
    for layer, output in zip(backbone.layers, shapes, strict=True):
        strides = max(getattr(layer, "strides", (1,)))
        # A shortcut strides beside the layers that did already, and makes no step of its own.
        if strides > 1 and output.shape[1] == -(-side // 2):
            side, steps = output.shape[1], steps + 1
        if first is None and layer.trainable_weights:
            first = steps
        yield 0 if first is None else steps - first


def _backbone(
    config: NetworkConfig,
) -> tuple[keras.Model, Callable[[int], tuple[Tensor, Tensor]]]:
    """The backbone, and a function that makes an input of a size, and the features of it."""
    backbone = build_backbone(config.backbone, config.weights)
    # A batch normalisation that is not trainable uses its stored statistics, in training too:
    # those of a small batch would be worse, and would not be what serves.
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    deeper = [backbone.get_layer(name).output for name in deeper_layers(config.backbone)]
    depths = keras.Model(backbone.input, [backbone.output, *deeper], name="depths")
    unit = keras.layers.UnitNormalization(name="features_unit", dtype="float32")

    def pretrained(size: int) -> tuple[Tensor, Tensor]:
        images = keras.Input((size, size, 3), dtype="uint8", name="images")
        parts = [_pooled(maps) for maps in depths(preprocessed(config.backbone, images))]
        return images, unit(keras.ops.concatenate(parts, axis=-1))

    return backbone, pretrained


def _pooled(maps: Tensor) -> Tensor:
    """The mean over positions, [N, H, W, F] → float32 [N, F], at unit length."""
    pooled = keras.layers.GlobalAveragePooling2D()(maps)
    return keras.layers.UnitNormalization(dtype="float32")(pooled)
