"""Encoders that give what no encoder should, and a good one."""

import numpy as np
import pytest

from app.bundle.encoder import Vectors
from app.bundle.importing.probes import probe, probe_images
from app.errors import ModelFileRefused, RuntimeUnavailable
from app.images.prepare import Pixels
from app.testing import FakeEncoder


class Constant(FakeEncoder):
    def embed(self, images: Pixels) -> Vectors:
        return np.full_like(super().embed(images), 48**-0.5)


class Neighbourly(FakeEncoder):
    """Takes the mean of a batch from each of its rows."""

    def embed(self, images: Pixels) -> Vectors:
        vectors = super().embed(images)
        return vectors - vectors.mean(axis=0) if len(vectors) > 1 else vectors


class NotANumber(FakeEncoder):
    def embed(self, images: Pixels) -> Vectors:
        raise ValueError("the graph gave a value that is not finite")


class Unable(FakeEncoder):
    def embed(self, images: Pixels) -> Vectors:
        raise RuntimeUnavailable("openvino", "no kernel")


class Single(FakeEncoder):
    def embed(self, images: Pixels) -> Vectors:
        if len(images) > 1:
            raise ValueError("the graph gave (1, 48), not (8, 48)")
        return super().embed(images)


@pytest.mark.parametrize("size", [8, 32, 224])
def test_the_pictures_differ_and_are_always_the_same(size: int) -> None:
    images = probe_images(size)
    assert (images.shape, images.dtype) == ((8, size, size, 3), np.uint8)
    assert len(np.unique(images.reshape(8, -1), axis=0)) == 8
    assert np.array_equal(images, probe_images(size))


def test_a_good_encoder_is_timed() -> None:
    assert probe(FakeEncoder(), "good.onnx") > 0


@pytest.mark.parametrize(
    ("encoder", "words"),
    [
        (Constant(), "different test pictures get the same vector"),
        (Neighbourly(), "depends on the images beside it"),
        (NotANumber(), "the graph gave a value that is not finite"),
        (Unable(), "OpenVINO cannot run it (no kernel)"),
        (Single(), "takes no batch"),
    ],
)
def test_a_bad_encoder_is_refused_in_a_sentence(encoder: FakeEncoder, words: str) -> None:
    with pytest.raises(ModelFileRefused) as caught:
        probe(encoder, "bad.onnx")
    assert words in str(caught.value)
    assert str(caught.value).startswith("bad.onnx cannot be imported: ")
