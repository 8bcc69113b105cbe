"""An imported file becomes a bundle that serves; a bad one leaves nothing behind."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from onnx import helper

from app.bundle.importing.publication import Facts, import_model
from app.bundle.importing.scaling import scaling
from app.bundle.linear_map import LinearMap, append
from app.bundle.manifest import Backbone
from app.bundle.model_store import list_models, resolve, sha256_file
from app.bundle.runtimes import load_encoder
from app.errors import ModelFileRefused, ParameterInvalid
from tests.support import graphs, onnx_files
from tests.support.onnx_files import FEATURES, convolution, floats, images, kernels, pooling, save

FACTS = Facts(scaling=scaling([0.5], [0.25]), resize="crop", licence="Apache-2.0")
PIXELS = np.random.default_rng(1).integers(0, 256, (5, 32, 32, 3)).astype(np.uint8)


def refused(path: Path, store: Path) -> str:
    with pytest.raises(ModelFileRefused) as caught:
        import_model(path, "bad", FACTS, store)
    assert not list(store.iterdir())
    assert "\n" not in str(caught.value)
    return str(caught.value)


def with_output(path: Path, nodes: list[object], **constants: np.ndarray) -> Path:
    """An encoder whose ``vector`` is changed by ``nodes`` to ``changed``."""
    outputs = [floats("changed", ["batch", FEATURES])]
    weights = kernels() | constants
    return save(path, [*convolution(), *pooling(), *nodes], [images()], outputs, weights)  # type: ignore[list-item]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    folder.mkdir()
    return folder


def test_a_bundle_that_serves_and_says_where_it_came_from(store: Path, tmp_path: Path) -> None:
    path = onnx_files.encoder(tmp_path / "dino.onnx")
    imported = import_model(path, "dino", FACTS, store)
    assert (imported.bundle.title, imported.one_by_one) == ("dino/1", False)
    assert imported.milliseconds > 0
    bundle = resolve(store, "dino")
    manifest = bundle.manifest
    assert (manifest.dimension, manifest.input_size) == (FEATURES, 32)
    assert manifest.preprocessing.resize == "crop"
    assert manifest.backbone == Backbone(
        name="dino", weights="imported from dino.onnx", licence="Apache-2.0"
    )
    assert manifest.training["imported"] == {
        "file": "dino.onnx",
        "format": "ONNX",
        "sha256": sha256_file(path),
        "input": "pixel_values",
        "layout": "NCHW",
        "output": "vector",
        "mean": [0.5] * 3,
        "std": [0.25] * 3,
    }
    assert set(manifest.files) == {"openvino/model.xml", "openvino/model.bin"}
    assert manifest.calibration is None
    encoder = load_encoder(bundle)
    assert encoder.resize == "crop"
    expected = onnx_files.expected(PIXELS, 0.5, 0.25)
    assert np.allclose(encoder.embed(PIXELS), expected, atol=1e-5)


def test_the_same_file_again_is_the_same_model_under_the_next_version(
    store: Path, tmp_path: Path
) -> None:
    path = onnx_files.encoder(tmp_path / "dino.onnx")
    first, second = (import_model(path, "dino", FACTS, store).bundle for _ in range(2))
    assert (first.title, second.title) == ("dino/1", "dino/2")
    assert first.manifest.model_id == second.manifest.model_id
    stretched = Facts(scaling=FACTS.scaling)
    third = import_model(path, "dino", stretched, store).bundle
    assert third.manifest.model_id != first.manifest.model_id


def test_a_linear_map_can_stand_at_its_end(store: Path, tmp_path: Path) -> None:
    path = onnx_files.encoder(tmp_path / "dino.onnx", batch=1)
    bundle = import_model(path, "dino", FACTS, store).bundle
    graph = ov.Core().read_model(bundle.path / "openvino" / "model.xml")
    rng = np.random.default_rng(0)
    matrix = rng.standard_normal((FEATURES, 6)).astype(np.float32)
    linear = LinearMap(matrix, np.zeros(6, np.float32))
    found = graphs.run(append(graph, linear), PIXELS)
    assert np.allclose(found, linear(load_encoder(bundle).embed(PIXELS)), atol=1e-4)


def test_a_file_for_one_image_takes_more_where_its_graph_allows(
    store: Path, tmp_path: Path
) -> None:
    path = onnx_files.encoder(tmp_path / "one.onnx", batch=1)
    assert not import_model(path, "one", FACTS, store).one_by_one


def test_a_file_for_one_image_alone_is_served_one_by_one(store: Path, tmp_path: Path) -> None:
    shape = helper.make_node("Reshape", ["pooled", "shape"], ["vector"])
    weights = kernels() | {"shape": np.array([1, FEATURES])}
    outputs = [floats("vector", [1, FEATURES])]
    nodes = [*convolution(), *pooling()[:1], shape]
    path = save(tmp_path / "one.onnx", nodes, [images(1)], outputs, weights)
    imported = import_model(path, "one", FACTS, store)
    assert imported.one_by_one
    assert list_models(store) == ["one/1"]
    found = load_encoder(imported.bundle).embed(PIXELS)
    assert np.allclose(found, onnx_files.expected(PIXELS, 0.5, 0.25), atol=1e-5)


def test_not_a_number(store: Path, tmp_path: Path) -> None:
    root = helper.make_node("Sqrt", ["vector"], ["changed"])
    assert "not finite" in refused(with_output(tmp_path / "nan.onnx", [root]), store)


def test_the_same_vector_for_every_image(store: Path, tmp_path: Path) -> None:
    nothing = helper.make_node("Mul", ["vector", "zero"], ["none"])
    one = helper.make_node("Add", ["none", "one"], ["changed"])
    path = with_output(
        tmp_path / "constant.onnx",
        [nothing, one],
        zero=np.zeros((), np.float32),
        one=np.ones((), np.float32),
    )
    assert "different test pictures get the same vector" in refused(path, store)


def test_a_vector_that_depends_on_its_batch(store: Path, tmp_path: Path) -> None:
    mean = helper.make_node("ReduceMean", ["vector"], ["mean"], axes=[0], keepdims=1)
    half = helper.make_node("Mul", ["mean", "half"], ["part"])
    changed = helper.make_node("Sub", ["vector", "part"], ["changed"])
    path = with_output(
        tmp_path / "batch.onnx", [mean, half, changed], half=np.full((), 0.5, np.float32)
    )
    assert "depends on the images beside it" in refused(path, store)


def test_a_name_that_cannot_be_one(store: Path, tmp_path: Path) -> None:
    path = onnx_files.encoder(tmp_path / "e.onnx")
    with pytest.raises(ParameterInvalid, match="name"):
        import_model(path, "../up", FACTS, store)
    assert not list(store.iterdir())
