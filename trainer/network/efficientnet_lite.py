"""EfficientNet-Lite in Keras 3: backbones made for CPUs (ReLU6, no squeeze-and-excite).

Architecture: Tan and Le, "EfficientNet", arXiv:1905.11946, and the Lite variants' published block
arguments (no squeeze-and-excite, ReLU6; stem, head, first and last stage of fixed size).
Weights: see ``tools/import_lite.py``.
"""

import math
from pathlib import Path
from typing import Literal, NamedTuple

import keras
import numpy as np

Lite = Literal["efficientnet_lite0", "efficientnet_lite2"]

# ImageNet's channel mean and standard deviation on 0-255 pixels: what the weights were trained with.
MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)

# Width and depth of each, relative to Lite0's.
_SCALES: dict[Lite, tuple[float, float]] = {
    "efficientnet_lite0": (1.0, 1.0),
    "efficientnet_lite2": (1.1, 1.2),
}


class Stage(NamedTuple):
    """One run of inverted-residual blocks; only its first block strides and widens."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    filters: int


_STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def _normalised(x: keras.KerasTensor, name: str, *, activate: bool = True) -> keras.KerasTensor:
    x = keras.layers.BatchNormalization(epsilon=1e-3, momentum=0.99, name=f"{name}_bn")(x)
    return keras.layers.ReLU(max_value=6.0, name=f"{name}_relu6")(x) if activate else x


def _block(x: keras.KerasTensor, stage: Stage, stride: int, name: str) -> keras.KerasTensor:
    """Expand 1x1, depthwise kxk, project 1x1; the input is added back where shapes allow."""
    inputs, channels = x, int(x.shape[-1])
    if stage.expand != 1:
        x = keras.layers.Conv2D(
            channels * stage.expand, 1, use_bias=False, name=f"{name}_expand_conv"
        )(x)
        x = _normalised(x, f"{name}_expand")
    x = keras.layers.DepthwiseConv2D(
        stage.kernel, stride, padding="same", use_bias=False, name=f"{name}_depthwise_conv"
    )(x)
    x = _normalised(x, f"{name}_depthwise")
    x = keras.layers.Conv2D(stage.filters, 1, use_bias=False, name=f"{name}_project_conv")(x)
    x = _normalised(x, f"{name}_project", activate=False)
    if stride == 1 and channels == stage.filters:
        x = keras.layers.Add(name=f"{name}_add")([inputs, x])
    return x


def stages(name: Lite) -> list[Stage]:
    """Return the stages of ``name``: Lite0's, wider and deeper."""
    width, depth = _SCALES[name]
    last = len(_STAGES) - 1
    return [
        stage._replace(
            filters=_rounded(stage.filters * width),
            repeats=stage.repeats if number in (0, last) else math.ceil(stage.repeats * depth),
        )
        for number, stage in enumerate(_STAGES)
    ]


def _rounded(filters: float) -> int:
    """To a multiple of 8 that is at most a tenth smaller."""
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * filters else nearest


def efficientnet_lite(name: Lite, input_shape: tuple[int | None, int | None, int]) -> keras.Model:
    """Build the feature extractor without weights: normalised pixels in, a 1280-channel map out.

    Input float32 [N, H, W, 3] with ``MEAN`` and ``STD`` already applied;
    output float32 [N, ceil(H/32), ceil(W/32), 1280].
    """
    inputs = keras.Input(input_shape, name="pixels")
    x = keras.layers.Conv2D(32, 3, 2, padding="same", use_bias=False, name="stem_conv")(inputs)
    x = _normalised(x, "stem")
    number = 0
    for stage in stages(name):
        for repeat in range(stage.repeats):
            x = _block(x, stage, stage.stride if repeat == 0 else 1, f"block{number}")
            number += 1
    x = keras.layers.Conv2D(1280, 1, use_bias=False, name="head_conv")(x)
    return keras.Model(inputs, _normalised(x, "head"), name=name)


def last_layers(name: Lite) -> tuple[str, str]:
    """Return the layers at the end of the last block and of the last stage but one."""
    blocks = sum(stage.repeats for stage in stages(name))
    # The last stage is one block, which is wider than its input and adds none.
    return f"block{blocks - 1}_project_bn", f"block{blocks - 2}_add"


def weights_file(name: Lite) -> Path:
    """Return where the pretrained weights of ``name`` lie."""
    return Path(__file__).with_name(f"{name}.npz")


def load_weights(model: keras.Model, path: Path) -> None:
    """Fill ``model`` from an ``.npz`` whose keys are ``<layer>/<number of the weight>``.

    Raises ``ValueError`` when a layer's weights are missing or have another shape.
    """
    with np.load(path, allow_pickle=False) as stored:
        for layer in model.layers:
            if not layer.weights:
                continue
            names = [f"{layer.name}/{i}" for i in range(len(layer.weights))]
            missing = [name for name in names if name not in stored]
            if missing:
                raise ValueError(f"{path} lacks {', '.join(missing)}")
            layer.set_weights([stored[name].astype(np.float32) for name in names])
