"""Embeddings with fewer numbers of the pretrained features, as a smaller model would give them."""

from pathlib import Path

import numpy as np
import pytest

from app.images import prepare_file
from benchmarks import kept_dimensions
from tests import tiny_network
from tests.tiny_model import publish_tiny
from trainer.evaluate.keras_encoder import KerasEncoder

SAMPLE = Path(__file__).parents[1] / "app" / "sample_gallery"


def test_they_are_those_of_a_model_that_kept_fewer() -> None:
    config = tiny_network.config(keep=0.4, keep_dimension=8, frozen_stages=1)
    large = tiny_network.build(config)
    small = tiny_network.build(config.model_copy(update={"keep_dimension": 4}))
    assert large.kept is not None
    assert small.kept is not None
    small.head.set_weights(large.head.get_weights())
    small.kept.set_weights([large.kept.get_weights()[0][:, :4]])
    files = sorted(SAMPLE.rglob("*.*"))[:4]
    images = np.stack([prepare_file(file, config.input_size).pixels for file in files])
    vectors = KerasEncoder(large.embedder).embed(images)
    expected = KerasEncoder(small.embedder).embed(images)
    assert kept_dimensions.narrowed(vectors, config, 4) == pytest.approx(expected, abs=1e-5)
    assert kept_dimensions.narrowed(vectors, config, 8) == pytest.approx(vectors, abs=1e-5)


def test_a_model_that_keeps_nothing_is_said(tmp_path: Path) -> None:
    publish_tiny(tmp_path)
    with pytest.raises(SystemExit, match="keeps no pretrained features"):
        kept_dimensions.main(["--store", str(tmp_path), "--model", "tiny"])
