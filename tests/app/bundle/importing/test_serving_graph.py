"""A foreign graph becomes one like every bundle's: against a naive computation, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from onnx import TensorProto, helper

from app.bundle.importing.scaling import Scaling, scaling
from app.bundle.importing.serving_graph import ServingGraph, serving_graph
from app.bundle.importing.source import read_source
from app.errors import ModelFileRefused
from tests.support import graphs, onnx_files
from tests.support.onnx_files import FEATURES, convolution, floats, images, kernels, pooling, save

HALF = scaling([0.5], [0.25])
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)


def made(
    path: Path,
    input_size: int | None = None,
    scaled: Scaling | None = HALF,
    output: str | None = None,
) -> ServingGraph:
    return serving_graph(read_source(path), input_size=input_size, scaling=scaled, output=output)


def embedded(serving: ServingGraph, pixels: np.ndarray = PIXELS) -> np.ndarray:
    return graphs.run(serving.graph, pixels)


def refused(path: Path, **options: object) -> str:
    with pytest.raises(ModelFileRefused) as caught:
        made(path, **options)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    return str(caught.value)


def several_outputs(path: Path, batch: onnx_files.Side = "batch") -> Path:
    """Maps, the vector, and a classifier's scores above it."""
    above = helper.make_node("MatMul", ["vector", "classes"], ["logits"])
    weights = kernels() | {"classes": np.ones((FEATURES, 10), np.float32)}
    outputs = [
        floats("maps", [batch, FEATURES, 4, 4]),
        floats("vector", [batch, FEATURES]),
        floats("logits", [batch, 10]),
    ]
    return save(path, [*convolution(), *pooling(), above], [images(batch)], outputs, weights)


@pytest.mark.parametrize("batch", ["batch", 1, 4])
@pytest.mark.parametrize("size", [32, "side"])
def test_bytes_in_unit_vectors_out(
    tmp_path: Path, batch: onnx_files.Side, size: onnx_files.Side
) -> None:
    serving = made(onnx_files.encoder(tmp_path / "e.onnx", batch, size), 32)
    assert (serving.dimension, serving.image.size, serving.output) == (FEATURES, 32, "vector")
    found = embedded(serving)
    assert (found.dtype, found.shape) == (np.float32, (5, FEATURES))
    assert np.allclose(found, onnx_files.expected(PIXELS, 0.5, 0.25), atol=1e-5)


def test_each_colour_has_its_own_mean_and_deviation(tmp_path: Path) -> None:
    path = onnx_files.encoder(tmp_path / "e.onnx")
    mean, std = (0.2, 0.4, 0.6), (0.2, 0.3, 0.4)
    found = embedded(made(path, scaled=scaling(mean, std)))
    means, deviations = np.array(mean), np.array(std)
    same = onnx_files.expected((PIXELS / 255 - means) / deviations * 255, 0, 1)
    assert np.allclose(found, same, atol=1e-5)


def test_an_input_with_the_channels_last_and_one_of_bytes(tmp_path: Path) -> None:
    turn = helper.make_node("Transpose", ["pixel_values"], ["turned"], perm=[0, 3, 1, 2])
    nodes = [turn, *convolution("turned"), *pooling()]
    outputs = [floats("vector", ["batch", FEATURES])]
    path = save(tmp_path / "l.onnx", nodes, [images(layout="NHWC")], outputs, kernels())
    assert np.allclose(embedded(made(path)), onnx_files.expected(PIXELS, 0.5, 0.25), atol=1e-5)

    cast = helper.make_node("Cast", ["pixel_values"], ["numbers"], to=TensorProto.FLOAT)
    kind = images(kind=TensorProto.UINT8)
    path = save(
        tmp_path / "b.onnx", [cast, *convolution("numbers"), *pooling()], [kind], outputs, kernels()
    )
    found = embedded(made(path, scaled=None))
    assert np.allclose(found, onnx_files.expected(PIXELS, 0, 1 / 255), atol=1e-5)
    assert "--mean and --std are of no use" in refused(path)


def test_sides_of_one_are_left_out(tmp_path: Path) -> None:
    pool = helper.make_node("GlobalAveragePool", ["maps"], ["vector"])
    outputs = [floats("vector", ["batch", FEATURES, 1, 1])]
    path = save(tmp_path / "e.onnx", [*convolution(), pool], [images()], outputs, kernels())
    assert np.allclose(embedded(made(path)), onnx_files.expected(PIXELS, 0.5, 0.25), atol=1e-5)


def test_several_outputs_are_listed_and_one_can_be_named(tmp_path: Path) -> None:
    path = several_outputs(tmp_path / "e.onnx")
    assert (
        "it has several outputs, maps [?, 24, 4, 4], vector [?, 24], logits [?, 10]; name the one "
        "that is the image's vector with --output"
    ) in refused(path)
    found = embedded(made(path, output="vector"))
    assert np.allclose(found, onnx_files.expected(PIXELS, 0.5, 0.25), atol=1e-5)
    assert "it has no output 'nothing'; it has maps" in refused(path, output="nothing")
    assert "maps [?, 24, 4, 4] is a map, and not one vector" in refused(path, output="maps")


def test_an_inner_value_can_be_named(tmp_path: Path) -> None:
    above = helper.make_node("MatMul", ["vector", "classes"], ["logits"])
    chances = helper.make_node("Softmax", ["logits"], ["chances"])
    weights = kernels() | {"classes": np.ones((FEATURES, 10), np.float32)}
    nodes = [*convolution(), *pooling(), above, chances]
    path = save(tmp_path / "e.onnx", nodes, [images()], [floats("chances", ["batch", 10])], weights)
    assert "is a classifier's probabilities" in refused(path)
    assert made(path, output="vector").dimension == FEATURES


def test_an_input_that_the_vector_does_not_need_is_left_out(tmp_path: Path) -> None:
    """As in CLIP, whose file has the text's encoder beside the image's."""
    words = helper.make_node("Cast", ["input_ids"], ["text"], to=TensorProto.FLOAT)
    both = helper.make_node("MatMul", ["vector", "text"], ["scores"])
    ids = floats("input_ids", [FEATURES, 7], TensorProto.INT64)
    outputs = [floats("vector", ["batch", FEATURES]), floats("scores", ["batch", 7])]
    nodes = [*convolution(), *pooling(), words, both]
    path = save(tmp_path / "e.onnx", nodes, [images(), ids], outputs, kernels())
    assert made(path, output="vector").dimension == FEATURES
    found = refused(path, output="scores")
    assert "depends on pixel_values [?, 3, 32, 32], input_ids [24, 7], and not on one" in found


def test_a_vector_for_each_part_is_no_vector(tmp_path: Path) -> None:
    shape = helper.make_node("Reshape", ["maps", "shape"], ["tokens"])
    weights = kernels() | {"shape": np.array([0, FEATURES, -1])}
    outputs = [floats("tokens", ["batch", FEATURES, 16])]
    path = save(tmp_path / "e.onnx", [*convolution(), shape], [images()], outputs, weights)
    assert "tokens [?, 24, 16] is a vector for each part of an image" in refused(path)


@pytest.mark.parametrize(
    ("shape", "kind", "words"),
    [
        (["batch", 77], TensorProto.INT64, "pixel_values [?, 77] of i64 is not an image"),
        (["batch", 3, 32, 32], TensorProto.INT32, "of i32 is not an image"),
        (["batch", 1, 32, 32], TensorProto.FLOAT, "has not the 3 channels of an RGB image"),
        (["batch", 3, 32, 48], TensorProto.FLOAT, "images of 48 × 32 pixels, which are not square"),
    ],
)
def test_an_input_that_is_no_image(
    tmp_path: Path, shape: list[onnx_files.Side], kind: int, words: str
) -> None:
    cast = helper.make_node("Cast", ["pixel_values"], ["numbers"], to=TensorProto.FLOAT)
    axes = list(range(1, len(shape)))
    mean = helper.make_node("ReduceMean", ["numbers"], ["vector"], axes=axes, keepdims=1)
    outputs = [floats("vector", ["batch", *[1] * len(axes)])]
    inputs = [floats("pixel_values", shape, kind)]
    assert words in refused(save(tmp_path / "e.onnx", [cast, mean], inputs, outputs))


def test_the_size_comes_from_the_file_or_the_option(tmp_path: Path) -> None:
    fixed = onnx_files.encoder(tmp_path / "fixed.onnx")
    assert made(fixed).image.size == 32
    assert "32 pixels, and not of --input-size 64" in refused(fixed, input_size=64)
    free = onnx_files.encoder(tmp_path / "free.onnx", size="side")
    assert made(free, 64).image.size == 64
    assert "name the one to serve with --input-size" in refused(free)
    assert "4 pixels are not between 8 and 2048" in refused(free, input_size=4)
    assert "give --mean and --std" in refused(fixed, scaled=None)
