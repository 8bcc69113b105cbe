"""The embedding network: uint8 RGB in, preprocessing and a pretrained backbone inside, unit vectors out."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from trainer.config import Backbone, NetworkConfig
from trainer.errors import DataError
from trainer.network.backbones import build_backbone, preprocessed
from trainer.network.kept_share import KeptShare, Shared

Tensor = Any


@dataclass(frozen=True, slots=True)
class Network:
    """``features`` and ``embedder`` share layers: the first ends at the pooled features.

    Both take uint8 [N, S, S, 3]; features are float32 [N, F], embeddings unit float32 [N, D].
    ``top`` is what makes embeddings of pretrained features; ``kept`` its part that leaves them as
    they are, but for a turn to their principal axes, where ``config.keep`` asks for that; ``share``
    says how much of an embedding that part holds, where ``config.keep_unlike`` lets it vary.
    """

    backbone: keras.Model
    features: keras.Model
    head: keras.layers.Layer
    kept: keras.layers.Dense | None
    share: KeptShare | None
    top: keras.Model
    embedder: keras.Model

    def freeze(self, stages: int) -> list[keras.Variable]:
        """Keep the backbone's first ``stages`` as they are, all with -1; return what is trained.

        A stage is what lies between two steps of the resolution: five in the usual networks.
        """
        index = cut(self.backbone, stages)
        below = self.backbone.layers[: 0 if index is None else index + 1]
        frozen = {id(variable) for layer in below for variable in layer.variables}
        return [v for v in self.backbone.trainable_variables if id(v) not in frozen]


def cut(backbone: keras.Model, stages: int) -> int | None:
    """Return the index in ``backbone.layers`` of the last layer of the first ``stages``; None for none.

    -1 stands for all of them.
    """
    if stages < 0:
        return len(backbone.layers) - 1
    inside = [index for index, stage in enumerate(_stages(backbone)) if stage < stages]
    return max(inside, default=None)


def _stages(backbone: keras.Model) -> Iterator[int]:
    """The stage of every layer, from 0: steps since the first layer that is trained."""
    side: int = backbone.input_shape[1]
    steps, first = 0, None
    for layer in backbone.layers:
        strides = max(getattr(layer, "strides", (1,)))
        # A shortcut strides beside the layers that did already, and makes no step of its own.
        if strides > 1 and side > 1 and layer.output.shape[1] == -(-side // 2):
            side, steps = layer.output.shape[1], steps + 1
        if first is None and layer.trainable_weights:
            first = steps
        yield 0 if first is None else steps - first


def build(config: NetworkConfig) -> Network:
    """Return the whole network, its backbone pretrained and its head drawn from the global seed.

    With ``config.keep`` the embedding is √(1 − keep) · trained, then √keep · pretrained: squared
    distances are the weighted mean of both, and what the backbone knows of pictures unlike the
    training's is not lost. With ``config.keep_unlike`` the share is larger for such pictures. Both
    parts share the stages that stay frozen.
    Raises ``WeightsError`` when the pretrained weights cannot be had.
    """
    backbone, features = _features(config.backbone, config.input_size, config.weights)
    join = _Join(config)
    known = keras.Input(features.output_shape[1:], name="features")
    top = keras.Model(known, join(known, known), name="top")
    embeddings = join(features.output, features.output)
    if config.keep:
        embeddings = join(*_beside(backbone, features.input, config))
    embedder = keras.Model(features.input, embeddings, name="gemello")
    return Network(backbone, features, join.head, join.kept, join.share, top, embedder)


def published(embedder: keras.Model, config: NetworkConfig) -> keras.Model:
    """Return what is exported of a trained ``embedder``: its weights in the network of ``config``.

    That is ``TrainConfig.published_network``, in float32 whatever it was trained in. A network of
    convolutions takes any size. Trained on crops, it sees things larger than they are in whole
    pictures, so that a larger size may serve better: Touvron et al., "Fixing the train-test
    resolution discrepancy", arXiv:1906.06423. A share of the pretrained features that is larger
    than training's keeps more for pictures that the training never saw.

    Raises ``DataError`` when that configuration gives another network.
    """
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        other = build(config).embedder
    finally:
        keras.config.set_dtype_policy(policy)
    try:
        other.set_weights(embedder.get_weights())
    except ValueError as exc:
        raise DataError(
            "The model was made by another version of Gemello, so that it cannot be built again."
        ) from exc
    return other


def _beside(backbone: keras.Model, images: Tensor, config: NetworkConfig) -> tuple[Tensor, Tensor]:
    """Pooled features of the backbone that is trained, and of one that is not, above one trunk."""
    untouched, _ = _features(config.backbone, config.input_size, config.weights)
    untouched.trainable = False
    index = cut(backbone, config.frozen_stages)
    maps = preprocessed(config.backbone, images)
    if index is not None:
        maps = keras.Model(backbone.input, backbone.layers[index].output, name="trunk")(maps)
    tails = []
    for model, name in ((backbone, "trained"), (untouched, "pretrained")):
        start = model.input if index is None else model.layers[index].output
        # With all stages frozen nothing is left above the trunk.
        whole = start is model.output
        above = maps if whole else keras.Model(start, model.output, name=f"{name}_tail")(maps)
        tails.append(pooled(above, f"{name}_pool"))
    return tails[0], tails[1]


class _Join:
    """The layers above pooled features; called twice, they are the same layers."""

    def __init__(self, config: NetworkConfig) -> None:
        self.head, self.kept, self.share = _head(config), None, None
        self._keep = config.keep
        # Lengths and differences are small: they need the whole precision.
        self._units = [
            keras.layers.UnitNormalization(name=name, dtype="float32")
            for name in ("trained_unit", "kept_unit")
        ]
        self._shared = Shared(name="embedding")
        if config.keep:
            self.kept = keras.layers.Dense(config.keep_dimension, use_bias=False, name="kept")
            self.kept.trainable = False
        if config.keep_unlike is not None:
            self.share = KeptShare(config.keep, config.keep_unlike, name="share")

    def __call__(self, trained: Tensor, pretrained: Tensor) -> Tensor:
        new = self._units[0](self.head(trained))
        if self.kept is None:
            return new
        old = self._units[1](self.kept(pretrained))
        share = self.share(pretrained) if self.share else self._keep
        return self._shared(new, old, share=share)


def _head(config: NetworkConfig) -> keras.layers.Layer:
    last = keras.layers.Dense(
        config.dimension, use_bias=False, kernel_initializer="orthogonal", name="head"
    )
    if config.head == "linear":
        return last
    # What siamese tutorials put on top, drawn at random.
    wide = keras.layers.Dense(512, activation="relu", name="dense_512")
    narrow = keras.layers.Dense(256, activation="relu", name="dense_256")
    return keras.Sequential([wide, narrow, last], name="dense_head")


def untrained(backbone: Backbone, input_size: int, weights: str | None = None) -> keras.Model:
    """Return pretrained features without any training, at unit length: the baseline to beat."""
    _, features = _features(backbone, input_size, weights)
    unit = keras.layers.UnitNormalization()(features.output)
    return keras.Model(features.input, unit, name=f"{backbone}_untrained")


def _features(name: Backbone, size: int, weights: str | None) -> tuple[keras.Model, keras.Model]:
    backbone = build_backbone(name, size, weights)
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    # A batch normalisation that is not trainable uses its stored statistics, in training too:
    # those of a small batch would be worse, and would not be what serves.
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    maps = backbone(preprocessed(name, images))
    return backbone, keras.Model(images, pooled(maps, "pool"), name="features")


def pooled(maps: Tensor, name: str) -> Tensor:
    """Return the mean over positions, [N, H, W, F] → [N, F]."""
    return keras.layers.GlobalAveragePooling2D(name=name)(maps)
