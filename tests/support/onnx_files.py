"""Small ONNX files as other people's exporters write them: an image in, a vector out."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, FEATURES = 32, 24
Side = int | str

OPSET = 17


def save(
    path: Path,
    nodes: Sequence[onnx.NodeProto],
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
    constants: dict[str, np.ndarray] | None = None,
) -> Path:
    """Write a graph to ``path``; ``constants`` are its weights by name."""
    weights = [numpy_helper.from_array(v, name) for name, v in (constants or {}).items()]
    graph = helper.make_graph(list(nodes), "encoder", list(inputs), list(outputs), weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def floats(name: str, shape: Sequence[Side], kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, list(shape))


def images(
    batch: Side = "batch", size: Side = SIZE, layout: str = "NCHW", kind: int = TensorProto.FLOAT
) -> onnx.ValueInfoProto:
    """An input of RGB images."""
    shape = [batch, 3, size, size] if layout == "NCHW" else [batch, size, size, 3]
    return floats("pixel_values", shape, kind)


def kernels(seed: int = 0) -> dict[str, np.ndarray]:
    """Weights of ``convolution``: 8 × 8 patches to ``FEATURES`` channels."""
    drawn = np.random.default_rng(seed).standard_normal((FEATURES, 3, 8, 8))
    return {"kernel": (drawn / 14).astype(np.float32)}


def convolution(source: str = "pixel_values", target: str = "maps") -> list[onnx.NodeProto]:
    """Patches, each a vector: [N, 3, S, S] → [N, 24, S / 8, S / 8]."""
    conv = helper.make_node("Conv", [source, "kernel"], ["linear"], strides=[8, 8])
    return [conv, helper.make_node("Tanh", ["linear"], [target])]


def pooling(source: str = "maps", target: str = "vector") -> list[onnx.NodeProto]:
    """The mean of the patches: [N, 24, H, W] → [N, 24]."""
    pool = helper.make_node("GlobalAveragePool", [source], ["pooled"])
    return [pool, helper.make_node("Flatten", ["pooled"], [target])]


def encoder(path: Path, batch: Side = "batch", size: Side = SIZE, seed: int = 0) -> Path:
    """A good encoder: float32 [batch, 3, size, size] in, [batch, 24] out."""
    nodes = [*convolution(), *pooling()]
    outputs = [floats("vector", [batch, FEATURES])]
    return save(path, nodes, [images(batch, size)], outputs, kernels(seed))


def expected(pixels: np.ndarray, mean: float, std: float, seed: int = 0) -> np.ndarray:
    """What ``encoder`` makes of uint8 [N, 32, 32, 3], computed naively: unit float32 [N, 24]."""
    x = (pixels.astype(np.float64) / 255 - mean) / std
    patches = x.reshape(len(x), 4, 8, 4, 8, 3).transpose(0, 1, 3, 5, 2, 4)
    kernel = kernels(seed)["kernel"].astype(np.float64)
    maps = np.tanh(np.einsum("nhwcij,fcij->nhwf", patches, kernel))
    vectors = maps.mean(axis=(1, 2))
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(unit, np.float32)
