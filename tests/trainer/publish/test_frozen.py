"""A head on a model of the store: what is exported is what was trained, on the graph as it was."""

from pathlib import Path

import numpy as np
import pytest

from app.bundle import model_store
from app.bundle.adapted import base_map
from app.bundle.linear_map import LinearMap
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from app.errors import RuntimeUnavailable
from tests.support.drawings import draw_classes
from tests.support.tiny_model import DIMENSION, publish_tiny
from trainer.config import TrainConfig, head_alone, read_config
from trainer.data.cache import open_cache
from trainer.data.records import read_data
from trainer.publish.frozen import Frozen

WEIGHTS = [
    np.random.default_rng(0).standard_normal((DIMENSION, 6)).astype(np.float32),
    np.random.default_rng(1).standard_normal(6).astype(np.float32),
]


@pytest.fixture
def base(tmp_path: Path) -> Bundle:
    return publish_tiny(tmp_path / "store")


@pytest.fixture
def frozen(base: Bundle, tmp_path: Path) -> Frozen:
    config = head_alone(read_config({"network": {"dimension": 6}}), base.title, DIMENSION)
    return Frozen.of(base, config, tmp_path / "cache")


def test_an_export_is_the_graph_with_the_head_at_its_end(
    frozen: Frozen, base: Bundle, tmp_path: Path
) -> None:
    data = draw_classes(tmp_path / "data", 4, 2)
    images = open_cache(read_data(data), 32, tmp_path / "cache", lambda _: None)
    expected = LinearMap(*WEIGHTS)(load_encoder(base).embed(images.images[:]))
    assert np.allclose(frozen.embed(WEIGHTS, images, lambda _: None), expected, atol=1e-6)
    with model_store.staging(tmp_path / "store", "mine") as folder:
        frozen.export(WEIGHTS, folder)
        manifest = base.manifest.model_copy(update={"dimension": 6})
        published = Bundle(folder, manifest.model_copy(update={"training": frozen.training}))
        assert np.allclose(load_encoder(published).embed(images.images[:]), expected, atol=1e-5)
        mapped = base_map(published)
        assert mapped is not None
        assert mapped.base_id == base.manifest.model_id
        assert np.array_equal(mapped.linear.matrix, WEIGHTS[0])


def test_a_graph_that_has_gone_since_is_a_sentence(
    frozen: Frozen, base: Bundle, tmp_path: Path
) -> None:
    (base.path / "openvino" / "model.xml").unlink()
    (tmp_path / "bundle").mkdir()
    with pytest.raises(RuntimeUnavailable, match="openvino"):
        frozen.export(WEIGHTS, tmp_path / "bundle")


def test_nothing_can_be_fine_tuned(base: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tiny/1 stays as it is, but epochs is 12"):
        Frozen.of(base, TrainConfig(epochs=12), tmp_path)


def test_the_head_alone_can_be_trained(frozen: Frozen) -> None:
    network = frozen.network()
    assert [weights.shape for weights in network.embedder.get_weights()] == [(DIMENSION, 6), (6,)]
