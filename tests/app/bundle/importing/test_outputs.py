"""Which value of a graph is the embedding, and what it depends on."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper

from app.bundle.importing.outputs import choose_output, described, image_input, name_of
from app.bundle.importing.source import Source, read_source
from app.errors import ModelFileRefused
from tests.support import onnx_files
from tests.support.onnx_files import FEATURES, convolution, floats, images, kernels, pooling, save


@pytest.fixture
def two(tmp_path: Path) -> Source:
    """Maps and their mean, both outputs."""
    outputs = [floats("maps", ["batch", FEATURES, 4, 4]), floats("vector", ["batch", FEATURES])]
    nodes = [*convolution(), *pooling()]
    return read_source(save(tmp_path / "two.onnx", nodes, [images()], outputs, kernels()))


@pytest.fixture
def clip(tmp_path: Path) -> Source:
    """An image's half and a text's, and a score that takes both."""
    text = floats("text", ["batch", FEATURES])
    score = helper.make_node("Mul", ["vector", "text"], ["score"])
    outputs = [floats("vector", ["batch", FEATURES]), floats("score", ["batch", FEATURES])]
    nodes = [*convolution(), *pooling(), score]
    return read_source(save(tmp_path / "clip.onnx", nodes, [images(), text], outputs, kernels()))


def test_an_only_output_needs_no_name(tmp_path: Path) -> None:
    source = read_source(onnx_files.encoder(tmp_path / "one.onnx"))
    assert name_of(choose_output(source, None)) == "vector"


def test_of_several_one_is_named(two: Source) -> None:
    assert described(choose_output(two, "vector")) == f"vector [?, {FEATURES}]"
    with pytest.raises(ModelFileRefused, match=r"several outputs, maps .*, vector .*--output"):
        choose_output(two, None)


def test_an_inner_value_can_be_named(two: Source) -> None:
    assert name_of(choose_output(two, "pooled")) == "pooled"


def test_a_name_that_is_none_lists_the_outputs(two: Source) -> None:
    with pytest.raises(
        ModelFileRefused, match=rf"no output 'logits'; it has maps .*{FEATURES}, 4, 4"
    ):
        choose_output(two, "logits")


def test_an_input_that_the_output_does_not_depend_on_is_left_out(clip: Source) -> None:
    image = image_input(clip, choose_output(clip, "vector"))
    assert name_of(image.output(0)) == "pixel_values"
    with pytest.raises(ModelFileRefused, match=r"depends on .*text.*, and not on one image alone"):
        image_input(clip, choose_output(clip, "score"))


def test_a_constant_depends_on_no_image(tmp_path: Path) -> None:
    constant = {"fixed": np.ones((1, FEATURES), np.float32)}
    same = helper.make_node("Identity", ["fixed"], ["vector"])
    outputs = [floats("vector", [1, FEATURES])]
    source = read_source(save(tmp_path / "c.onnx", [same], [images()], outputs, constant))
    with pytest.raises(ModelFileRefused, match="depends on nothing"):
        image_input(source, choose_output(source, None))
