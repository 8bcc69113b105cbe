"""The shipped fake encoder keeps every promise of the protocol."""

import numpy as np
import pytest

from app.images.prepare import prepare
from app.testing import FakeEncoder
from tests.support.images import encode, photo, picture


def pixels(data: bytes, size: int = 32) -> np.ndarray:
    return prepare(data, size).pixels[None]


def test_it_is_deterministic_and_of_unit_length() -> None:
    images = np.concatenate([pixels(picture(i)) for i in range(5)])
    vectors = FakeEncoder().embed(images)
    assert (vectors.shape, vectors.dtype) == ((5, 48), np.float32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.array_equal(vectors, FakeEncoder().embed(images))


def test_a_batchs_rows_equal_the_single_ones() -> None:
    images = np.concatenate([pixels(picture(i)) for i in range(5)])
    rows = FakeEncoder().embed(images)
    for image, row in zip(images, rows, strict=True):
        assert np.array_equal(FakeEncoder().embed(image[None])[0], row)


def test_alike_pictures_are_near_and_others_far() -> None:
    encoder = FakeEncoder()
    one = encoder.embed(pixels(picture(1)))
    again = encoder.embed(pixels(encode(photo(1), "JPEG", quality=60)))
    other = encoder.embed(pixels(picture(2)))
    assert np.linalg.norm(one - again) < 0.05
    assert np.linalg.norm(one - other) > 0.2


def test_black_has_a_direction_and_no_image_no_vector() -> None:
    black = FakeEncoder().embed(np.zeros((1, 32, 32, 3), np.uint8))
    assert np.isfinite(black).all()
    assert FakeEncoder().embed(np.zeros((0, 32, 32, 3), np.uint8)).shape == (0, 48)


def test_it_refuses_what_any_encoder_refuses() -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        FakeEncoder(64).embed(np.zeros((1, 32, 32, 3), np.uint8))


def test_seed_and_size_make_the_model_id() -> None:
    ids = {FakeEncoder(size, seed).model_id for size in (32, 64) for seed in ("a", "b")}
    assert len(ids) == 4
    assert FakeEncoder().model_id == FakeEncoder().model_id
