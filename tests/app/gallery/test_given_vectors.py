"""Vectors that come with images: one of them is always compared with the model's own."""

import numpy as np
import pytest

from app.errors import ImageUndecodable, ParameterInvalid
from app.gallery.given_vectors import GivenVectors
from app.gallery.new_image import NewImage
from app.inference.batcher import Batcher
from app.inference.embedder import Embedded
from app.inference.served_model import ServedModel
from app.testing import FakeEncoder, described

RIGHT, WRONG = np.eye(48, dtype=np.float32)[:2]


@pytest.fixture
def model() -> ServedModel:
    encoder = FakeEncoder()
    batcher = Batcher(encoder)
    batcher.close()
    return ServedModel(described(encoder), batcher)


def images(model: ServedModel, *vectors: np.ndarray | None) -> list[NewImage]:
    return [NewImage(b"", vector=vector, model_id=model.id) for vector in vectors]


def made(count: int) -> list[Embedded]:
    return [Embedded(1, 1, "image/png", RIGHT[None])] * count


def test_all_but_one_are_taken_over(model: ServedModel) -> None:
    given = GivenVectors.of(model, images(model, RIGHT, None, RIGHT, RIGHT))
    assert given.sample is not None
    assert sorted([*given.trusted, given.sample[0]]) == [0, 2, 3]
    given.check(made(4))
    drawn = {GivenVectors.of(model, images(model, RIGHT, RIGHT)).sample[0] for _ in range(100)}  # type: ignore[index]
    assert drawn == {0, 1}


def test_hardening_the_vector_of_another_image_is_refused(model: ServedModel) -> None:
    with pytest.raises(ParameterInvalid, match="not what the model makes of its image"):
        GivenVectors.of(model, images(model, WRONG, WRONG)).check(made(2))
    moved = (RIGHT + 0.1 * WRONG) / np.linalg.norm(RIGHT + 0.1 * WRONG)
    GivenVectors.of(model, images(model, moved)).check(made(1))
    GivenVectors.of(model, images(model, WRONG)).check([ImageUndecodable("it is broken")])


def test_those_of_another_model_or_length_are_none(model: ServedModel) -> None:
    other = NewImage(b"", vector=RIGHT, model_id="another")
    given = GivenVectors.of(model, [other, NewImage(b"")])
    assert (given.trusted, given.sample) == ({}, None)
    given.check(made(2))
    with pytest.raises(ParameterInvalid, match="expected 48 numbers"):
        GivenVectors.of(model, images(model, RIGHT, RIGHT[:47]))
