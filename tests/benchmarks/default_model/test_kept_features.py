"""Embeddings with less or more of the pretrained features, as another model would give them."""

from pathlib import Path

import numpy as np
import pytest

from app.images.prepare import prepare_file
from benchmarks.default_model import kept_features
from tests.support import tiny_network
from tests.support.tiny_model import publish_tiny
from trainer.config import NetworkConfig, TrainConfig
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.network.embedder import Network

SAMPLE = Path(__file__).parents[3] / "app" / "sample_gallery"


def built(config: NetworkConfig) -> Network:
    return tiny_network.build(TrainConfig(network=config))


def embeddings(network: Network) -> np.ndarray:
    size = network.embedder.input_shape[1]
    files = sorted(SAMPLE.rglob("*.*"))[:4]
    images = np.stack([prepare_file(file, size).pixels for file in files])
    return KerasEncoder(network.embedder).embed(images)


def test_they_are_those_of_a_model_that_kept_fewer() -> None:
    config = tiny_network.config(keep=0.4, keep_dimension=8, frozen_stages=1).network
    large = built(config)
    small = built(config.model_copy(update={"keep_dimension": 4}))
    assert large.kept is not None
    assert small.kept is not None
    small.head.set_weights(large.head.get_weights())
    small.kept.set_weights([large.kept.get_weights()[0][:, :4]])
    vectors, expected = embeddings(large), embeddings(small)
    assert kept_features.narrowed(vectors, config, 4) == pytest.approx(expected, abs=1e-5)
    assert kept_features.narrowed(vectors, config, 8) == pytest.approx(vectors, abs=1e-5)


def test_they_are_those_of_a_model_that_kept_more_of_unlike_pictures() -> None:
    config = tiny_network.config(
        keep=0.4, keep_unlike=0.8, keep_dimension=8, frozen_stages=1
    ).network
    less = built(config)
    more = built(config.model_copy(update={"keep_unlike": 0.95}))
    assert less.share is not None
    mean, axes, _ = less.share.get_weights()
    axes = np.linalg.qr(np.random.default_rng(0).standard_normal(axes.shape))[0]
    less.share.set_weights([mean, axes, np.float32(1.5)])
    more.embedder.set_weights(less.embedder.get_weights())
    vectors, expected = embeddings(less), embeddings(more)
    shares = np.square(expected[:, config.dimension :]).sum(axis=1)
    assert 0.4 < shares.min() < shares.max() < 0.95
    assert kept_features.reshared(vectors, config, 0.95) == pytest.approx(expected, abs=1e-4)
    assert kept_features.reshared(vectors, config, 0.8) == pytest.approx(vectors, abs=1e-4)


def test_a_model_that_keeps_nothing_is_said(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with pytest.raises(SystemExit, match="keeps no pretrained features"):
        kept_features.main(["--store", str(tmp_path), "--model", "tiny"])
