"""A graph as others made it → one as every bundle has it: uint8 RGB in, vectors of length 1 out."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import openvino as ov
from openvino import opset13 as ops
from openvino.preprocess import PrePostProcessor

from app.bundle.importing.outputs import Value, choose_output, described, image_input, name_of
from app.bundle.importing.scaling import Scaling
from app.bundle.importing.source import Source, last_line
from app.errors import ModelFileRefused

_FLOATS = ("f32", "f16", "bf16", "f64")
# Added to a squared length before its root, so that a vector of zeros stays one.
_EPSILON = 1e-24
LARGEST = 2048


@dataclass(frozen=True, slots=True)
class ImageInput:
    """How a graph takes images; ``batch`` is None where it takes any number at once."""

    name: str
    layout: str
    size: int
    batch: int | None
    scales: bool
    """Whether it takes bytes and scales them itself."""


@dataclass(frozen=True, slots=True)
class ServingGraph:
    """uint8 [N, S, S, 3] → unit float32 [N, ``dimension``]; ``graph`` takes any N, or one at a time."""

    graph: ov.Model
    image: ImageInput
    output: str
    dimension: int


def serving_graph(
    source: Source,
    *,
    input_size: int | None,
    scaling: Scaling | None,
    output: str | None,
    single: bool = False,
) -> ServingGraph:
    """Return the graph of ``source`` as a bundle needs it, its preprocessing inside.

    ``single`` keeps a batch of one, for graphs that refuse any other. ``source`` stays as it is.
    Raises ``ModelFileRefused``.
    """
    fresh = Source(source.graph.clone(), source.file, source.format, source.sha256)
    value = choose_output(fresh, output)
    image = read_input(fresh, value, input_size)
    if image.scales and scaling:
        raise ModelFileRefused(
            source.file,
            "it takes bytes and scales them itself, so that --mean and --std are of no use",
        )
    if not image.scales and scaling is None:
        raise ModelFileRefused(
            source.file,
            "it does not say how its pixels are scaled; give --mean and --std, which stand in the "
            "model's preprocessor_config.json or in its documentation",
        )
    graph = ov.Model([value], [image_input(fresh, value)], "encoder")
    _reshape(graph, image, source, 1 if single else -1)
    dimension = _dimension(graph.output(0).get_node().input_value(0), source)
    graph = _with_preprocessing(graph, image, scaling)
    graph = _with_unit_length(graph, dimension)
    # OpenVINO counts on from import to import in the names it gives; the same file is the same model.
    for number, node in enumerate(graph.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    graph.input(0).set_names({"images"})
    graph.output(0).set_names({"embeddings"})
    return ServingGraph(graph, image, name_of(value), dimension)


def read_input(source: Source, output: Value, input_size: int | None) -> ImageInput:
    """Work out how the input takes images, from its shape. Raises ``ModelFileRefused``."""
    value = image_input(source, output).output(0)
    shape, kind = value.get_partial_shape(), value.get_element_type().get_type_name()
    if shape.rank.is_dynamic or len(shape) != 4 or kind not in {*_FLOATS, "u8"}:
        raise ModelFileRefused(
            source.file,
            f"its input {described(value)} of {kind} is not an image, which would be "
            "[?, 3, S, S] or [?, S, S, 3] of numbers with a fraction, or of bytes",
        )
    lengths = [d.get_length() if d.is_static else None for d in shape]
    layout = _layout(lengths, source, value)
    height, width = lengths[2:] if layout == "NCHW" else lengths[1:3]
    return ImageInput(
        name_of(value),
        layout,
        _side(height, width, input_size, source),
        lengths[0],
        kind == "u8",
    )


def _layout(lengths: list[int | None], source: Source, value: Value) -> str:
    if lengths[1] == 3 or (lengths[1] is None and lengths[3] != 3 and source.format != "TFLite"):
        return "NCHW"
    if lengths[3] in {3, None}:
        return "NHWC"
    raise ModelFileRefused(
        source.file, f"its input {described(value)} has not the 3 channels of an RGB image"
    )


def _side(height: int | None, width: int | None, asked: int | None, source: Source) -> int:
    fixed = {side for side in (height, width) if side is not None}
    if len(fixed) > 1:
        raise ModelFileRefused(
            source.file, f"it takes images of {width} × {height} pixels, which are not square"
        )
    if not fixed and asked is None:
        raise ModelFileRefused(
            source.file, "it takes images of any size; name the one to serve with --input-size"
        )
    size = fixed.pop() if fixed else int(asked or 0)
    if asked is not None and size != asked:
        raise ModelFileRefused(
            source.file, f"it takes images of {size} pixels, and not of --input-size {asked}"
        )
    if not 8 <= size <= LARGEST:
        raise ModelFileRefused(source.file, f"{size} pixels are not between 8 and {LARGEST}")
    return size


def _reshape(graph: ov.Model, image: ImageInput, source: Source, batch: int) -> None:
    size = image.size
    shape = [batch, 3, size, size] if image.layout == "NCHW" else [batch, size, size, 3]
    try:
        graph.reshape(ov.PartialShape(shape))
    except RuntimeError as exc:
        raise ModelFileRefused(
            source.file, f"it does not take images of {size} pixels ({last_line(str(exc))})"
        ) from exc


def _dimension(output: Value, source: Source) -> int:
    """The length of the vector that ``output`` [N, D], or with sides of 1 beside D, is."""
    if output.get_node().get_type_name() == "Softmax":
        raise ModelFileRefused(
            source.file,
            f"its output {described(output)} is a classifier's probabilities; name the layer before "
            "the classifier with --output",
        )
    shape = output.get_partial_shape()
    lengths = [] if shape.rank.is_dynamic else list(shape)[1:]
    if lengths and all(d.is_static for d in lengths):
        sides = [d.get_length() for d in lengths if d.get_length() != 1]
        if len(sides) == 1:
            if output.get_element_type().get_type_name() not in _FLOATS:
                raise ModelFileRefused(
                    source.file, f"its output {described(output)} holds no fractions"
                )
            return int(sides[0])
    what = {3: "a vector for each part of an image", 4: "a map"}.get(len(lengths) + 1, "no vector")
    raise ModelFileRefused(
        source.file,
        f"its output {described(output)} is {what}, and not one vector for each image, [?, D]; name "
        "another with --output, or export the model with its pooling",
    )


def _with_preprocessing(graph: ov.Model, image: ImageInput, scaling: Scaling | None) -> ov.Model:
    steps = PrePostProcessor(graph)
    steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    steps.input().model().set_layout(ov.Layout(image.layout))
    if scaling:
        inner = steps.input().preprocess().convert_element_type(ov.Type.f32)
        inner.mean([255 * m for m in scaling.mean]).scale([255 * s for s in scaling.std])
    return steps.build()


def _with_unit_length(graph: ov.Model, dimension: int) -> ov.Model:
    x: Any = graph.output(0).get_node().input_value(0)
    x = ops.convert(x, "f32")
    # 0 keeps the batch as it is.
    x = ops.reshape(x, np.array([0, dimension], np.int64), True)
    unit = ops.normalize_l2(x, np.array([1], np.int64), _EPSILON, "add")
    return ov.Model([unit], graph.get_parameters(), "encoder")
