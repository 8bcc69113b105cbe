"""Features of an encoder: what it makes of the images, and a sentence where it fails."""

from pathlib import Path

import numpy as np
import pytest

from app.bundle.encoder import Vectors
from app.images.prepare import Pixels
from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import read_data
from trainer.errors import DataError
from trainer.network.embedder import on_features
from trainer.network.encoder_features import EncoderFeatures


@pytest.fixture
def images(tmp_path: Path) -> ImageCache:
    data = draw_classes(tmp_path / "data", 3, 2)
    return open_cache(read_data(data), 32, tmp_path / "cache", lambda _: None)


def test_they_are_what_the_encoder_makes_and_a_head_takes(
    images: ImageCache, tmp_path: Path
) -> None:
    encoder = FakeEncoder()
    features = EncoderFeatures(encoder, tmp_path)
    rows = features.rows(images, lambda _: None)[:]
    assert np.array_equal(rows, encoder.embed(images.images[:]))
    network = on_features(features, encoder.dimension, 8)
    assert network.backbone.get_weights() == []
    embeddings = np.asarray(network.embedder(rows))
    assert embeddings.shape == (6, 8)
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def test_models_do_not_find_each_others_features(images: ImageCache, tmp_path: Path) -> None:
    class Other(FakeEncoder):
        def embed(self, images: Pixels) -> Vectors:
            return -super().embed(images)

    first = EncoderFeatures(FakeEncoder(), tmp_path).rows(images, lambda _: None)[:]
    second = EncoderFeatures(Other(seed="other"), tmp_path).rows(images, lambda _: None)[:]
    assert np.array_equal(first, -second)


def test_a_vector_that_is_not_finite_is_a_sentence(images: ImageCache, tmp_path: Path) -> None:
    class Broken(FakeEncoder):
        def embed(self, images: Pixels) -> Vectors:
            raise ValueError("the graph gave a value that is not finite")

    with pytest.raises(DataError, match="The backbone cannot embed these images: the graph gave"):
        EncoderFeatures(Broken(), tmp_path).rows(images, lambda _: None)
