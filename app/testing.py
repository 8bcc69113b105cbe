"""Shipped fakes, for tests here and in what is built on Gemello."""

import hashlib
from datetime import UTC, datetime

import numpy as np

from app.bundle.encoder import Encoder, Vectors, check_images
from app.bundle.manifest import Backbone, Manifest
from app.images.prepare import Pixels
from app.images.square import Resize


class FakeEncoder:
    """A deterministic encoder: the image shrunk to 4 × 4, centred, at unit length.

    Alike pictures get near vectors, so searches make sense, in microseconds and without a model.
    """

    dimension = 48
    resize: Resize = "stretch"

    def __init__(self, input_size: int = 32, seed: str = "fake") -> None:
        self.input_size = input_size
        self.model_id = hashlib.sha256(f"{seed}/{input_size}".encode()).hexdigest()

    def embed(self, images: Pixels) -> Vectors:
        check_images(images, self.input_size)
        side = self.input_size // 4
        cells = images.reshape(-1, 4, side, 4, side, 3).mean(axis=(2, 4), dtype=np.float64)
        # A constant keeps a black picture from having no direction.
        vectors = cells.reshape(-1, self.dimension) / 255 + 0.01
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        unit: Vectors = (vectors / lengths).astype(np.float32)
        return unit


def described(encoder: Encoder, name: str = "fake") -> Manifest:
    """Return the manifest that a bundle of ``encoder`` would have."""
    return Manifest(
        name=name,
        version="1",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        dimension=encoder.dimension,
        input_size=encoder.input_size,
        backbone=Backbone(name="none", weights="none", licence="Apache-2.0"),
        training={},
        data={},
        files={},
        model_id=encoder.model_id,
    )
