"""A bundle that was adapted: its files, its manifest, and the graph beside the map."""

from pathlib import Path

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from app.bundle import model_store
from app.bundle.adapted import base_map, check_writable, find_adapted, publish_adapted
from app.bundle.linear_map import LinearMap
from app.bundle.manifest import Evaluation, model_id
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from app.bundle.whitening import fit_whitening
from app.errors import ModelCorrupt, ModelStoreUnwritable
from tests.support.tiny_model import DIMENSION, SIZE, publish_tiny


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, SIZE, SIZE, 3), np.uint8)


def a_map() -> LinearMap:
    rng = np.random.default_rng(1)
    return fit_whitening(rng.standard_normal((200, DIMENSION)).astype(np.float32), DIMENSION)


def adapted(store: Path, base: Bundle, job: str = "job", name: str = "mine") -> Bundle:
    return publish_adapted(store, base, a_map(), name=name, images=200, job=job)


def test_the_graph_gives_what_the_map_makes_of_the_bases_vectors(tmp_path: Path) -> None:
    base = publish_tiny(tmp_path)
    bundle = adapted(tmp_path, base)
    found = base_map(bundle)
    assert found is not None and found.base_id == base.manifest.model_id
    images = pixels(5)
    mapped = found.linear(load_encoder(base).embed(images))
    np.testing.assert_allclose(load_encoder(bundle).embed(images), mapped, atol=1e-5)
    assert base_map(base) is None


def test_a_map_keeps_its_precision_behind_weights_of_half(tmp_path: Path) -> None:
    base = publish_half(tmp_path)
    bundle = adapted(tmp_path, base)
    found = base_map(bundle)
    assert found is not None
    images = pixels(5)
    mapped = found.linear(load_encoder(base).embed(images))
    np.testing.assert_allclose(load_encoder(bundle).embed(images), mapped, atol=1e-5)
    constants = {
        node.get_element_type().get_type_name()
        for node in ov.Core().read_model(bundle.path / "openvino/model.xml").get_ops()
        if node.get_type_name() == "Constant" and node.output(0).shape == [DIMENSION, DIMENSION]
    }
    assert constants == {"f16", "f32"}


def publish_half(store: Path) -> Bundle:
    """A tiny model with a layer of float16 weights."""
    plain = publish_tiny(store)
    graph = ov.Core().read_model(plain.path / "openvino/model.xml")
    weights = np.random.default_rng(2).standard_normal((DIMENSION, DIMENSION)).astype(np.float32)
    x = ops.matmul(graph.output(0).get_node().input_value(0), weights, False, False)
    unit = ops.normalize_l2(x, np.array([1]), 1e-12, "add")
    with model_store.staging(store, "half") as folder:
        (folder / "openvino").mkdir()
        model = ov.Model([unit], graph.get_parameters(), "half")
        ov.save_model(model, folder / "openvino/model.xml", compress_to_fp16=True)
        files = model_store.hash_files(folder)
        manifest = plain.manifest.model_copy(
            update={
                "name": "half",
                "files": files,
                "model_id": model_id(files, SIZE, plain.manifest.preprocessing),
            }
        )
        model_store.write_manifest(folder, manifest)
        return model_store.publish(store, folder)


def test_the_manifest_says_where_it_came_from_and_keeps_no_figure_of_another_graph(
    tmp_path: Path,
) -> None:
    base = publish_tiny(tmp_path)
    evaluation = Evaluation(protocol="this", queries=3, gallery=2, metrics={"map@r": 0.6})
    bundle = publish_adapted(
        tmp_path,
        base,
        a_map(),
        name="mine",
        images=200,
        job="job",
        before={"map@r": 0.5},
        evaluation=evaluation,
    )
    manifest, origin = bundle.manifest, base.manifest
    assert bundle.title == "mine/1"
    assert manifest.base is not None
    assert manifest.base.model_dump() == {
        "model": "tiny/1",
        "model_id": origin.model_id,
        "images": 200,
        "metrics": {"map@r": 0.5},
        "job": "job",
    }
    assert (manifest.evaluation, manifest.calibration) == (evaluation, None)
    assert (manifest.backbone, manifest.input_size) == (origin.backbone, origin.input_size)
    assert manifest.model_id != origin.model_id
    model_store.verify(bundle)


def test_a_jobs_version_is_found_again_and_versions_count_up(tmp_path: Path) -> None:
    base = publish_tiny(tmp_path, "mine")
    assert find_adapted(tmp_path, "mine", "first") is None
    first, second = adapted(tmp_path, base, "first"), adapted(tmp_path, base, "second")
    assert (first.title, second.title) == ("mine/2", "mine/3")
    found = find_adapted(tmp_path, "mine", "first")
    assert found is not None and found.title == "mine/2"
    assert model_store.active_version(tmp_path, "mine") == "1", "only activation changes that"


def test_what_a_killed_attempt_left_is_removed(tmp_path: Path) -> None:
    base = publish_tiny(tmp_path)
    left = tmp_path / "mine" / ".staging-job"
    left.mkdir(parents=True)
    (left / "stale").write_text("half a file")
    bundle = adapted(tmp_path, base)
    assert "stale" not in bundle.manifest.files
    assert not left.exists()


def test_an_altered_map_is_noticed(tmp_path: Path) -> None:
    bundle = adapted(tmp_path, publish_tiny(tmp_path))
    (bundle.path / "linear_map.npz").write_bytes(b"altered")
    with pytest.raises(ModelCorrupt, match="linear_map"):
        model_store.verify(bundle)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    base = publish_tiny(tmp_path)
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ModelStoreUnwritable, match="taken"):
        check_writable(tmp_path, "taken")
    with pytest.raises(ModelStoreUnwritable, match="taken"):
        adapted(tmp_path, base, name="taken")
    check_writable(tmp_path, "free")
    assert not (tmp_path / "free").exists()
