"""From images, uploaded or stored, to vectors: one result for each, whatever it was given by."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from app.bundle.adapted import BaseMap
from app.bundle.linear_map import LinearMap
from app.errors import ImageNotFound, ImageTypeUnsupported, ImageUndecodable, StorageUnavailable
from app.images.box import Box
from app.images.limits import DEFAULT_LIMITS
from app.images.prepare import Pixels, prepare
from app.inference.batcher import Batcher
from app.inference.decode_pool import DecodePool
from app.inference.embedder import Embedded, Embedder
from app.inference.reembedding import Reembedder
from app.inference.served_model import ServedModel
from app.storage.blob_store import digest_of
from app.storage.stores import Stores
from app.telemetry.metrics import Metrics
from app.testing import FakeEncoder, described
from tests.support.images import picture
from tests.support.records import record
from tests.support.stores import memory_stores


class Counting(FakeEncoder):
    """Counts the images that it embeds."""

    embedded = 0

    def embed(self, images: Pixels) -> np.ndarray:
        self.embedded += len(images)
        return super().embed(images)


@pytest.fixture
def encoder() -> Counting:
    return Counting()


@pytest.fixture
def model(encoder: Counting) -> Iterator[ServedModel]:
    served = ServedModel(described(encoder), Batcher(encoder))
    yield served
    served.batcher.close()


@pytest.fixture
def stores(tmp_path: Path, model: ServedModel) -> Stores:
    """Two stored images, ``a`` and ``b``, of which the model knows ``a`` alone."""
    opened = memory_stores(tmp_path)
    for image_id, seed in (("a", 1), ("b", 2)):
        data = picture(seed)
        opened.blobs.put(digest_of(data), data)
        known = model.id if image_id == "a" else "another model"
        stored = record(image_id, sha256=digest_of(data))
        opened.gallery.put([stored], vector_of(seed)[None], known)
    opened.gallery.load(model.id, FakeEncoder.dimension)
    return opened


@pytest.fixture
def embedder(stores: Stores) -> Iterator[Embedder]:
    pool = DecodePool(DEFAULT_LIMITS)
    yield Embedder(stores, pool, Metrics())
    pool.close()


def vector_of(seed: int, box: Box | None = None) -> np.ndarray:
    return FakeEncoder().embed(prepare(picture(seed), 32, DEFAULT_LIMITS, box).pixels[None])[0]


def vectors(result: object) -> np.ndarray:
    assert isinstance(result, Embedded)
    return result.vectors


def test_uploads_stored_images_and_what_is_broken_keep_their_order(
    embedder: Embedder, model: ServedModel, encoder: Counting
) -> None:
    results = embedder.embed(model, [picture(3), "b", b"text", "a", picture(4)])
    assert isinstance(results[2], ImageTypeUnsupported)
    for index, seed in ((0, 3), (1, 2), (3, 1), (4, 4)):
        assert np.allclose(vectors(results[index]), vector_of(seed)[None], atol=1e-6)
    assert encoder.embedded == 3, "the vector of a was at hand"
    whole = results[0]
    assert isinstance(whole, Embedded)
    assert (whole.width, whole.height, whole.media_type) == (96, 64, "image/png")


def test_another_view_of_a_stored_image_is_embedded(
    embedder: Embedder, model: ServedModel, encoder: Counting
) -> None:
    box = Box(0.1, 0.2, 0.6, 0.9)
    (boxed,) = embedder.embed(model, ["a"], box=box)
    assert np.allclose(vectors(boxed), vector_of(1, box=box)[None], atol=1e-6)
    (flipped,) = embedder.embed(model, ["a"], flip=True)
    mirror = prepare(picture(1), 32).pixels[None, :, ::-1]
    assert vectors(flipped).shape == (2, FakeEncoder.dimension)
    assert np.allclose(vectors(flipped)[1], FakeEncoder().embed(mirror)[0], atol=1e-6)
    assert encoder.embedded == 3


def test_pictures_become_squares_as_the_model_wants_them(
    embedder: Embedder, model: ServedModel, encoder: Counting
) -> None:
    encoder.resize = "crop"
    (uploaded,) = embedder.embed_bytes(model, [picture(3)])
    expected = prepare(picture(3), 32, resize="crop").pixels
    assert np.allclose(vectors(uploaded), FakeEncoder().embed(expected[None]), atol=1e-6)
    assert not np.allclose(vectors(uploaded), vector_of(3)[None], atol=1e-3)


def test_a_known_vector_is_taken_but_its_image_must_be_one(
    embedder: Embedder, model: ServedModel, encoder: Counting
) -> None:
    known = {0: np.full(48, 2, np.float32), 1: np.full(48, 3, np.float32)}
    good, broken, plain = embedder.embed_bytes(
        model, [picture(1), b"text", picture(2)], known=known
    )
    assert vectors(good).tolist() == [[2.0] * 48]
    assert isinstance(broken, ImageTypeUnsupported)
    assert np.allclose(vectors(plain), vector_of(2)[None], atol=1e-6)
    assert encoder.embedded == 1


def test_what_is_not_there_is_an_error_of_the_call(
    embedder: Embedder, model: ServedModel, stores: Stores
) -> None:
    with pytest.raises(ImageNotFound):
        embedder.embed(model, [picture(1), "none"])
    stores.blobs.delete(digest_of(picture(2)))
    with pytest.raises(StorageUnavailable):
        embedder.embed(model, ["b"])
    assert embedder.embed(model, []) == []


def test_what_a_model_does_not_know_is_embedded_once_and_damage_is_told(
    embedder: Embedder, model: ServedModel, stores: Stores
) -> None:
    stores.gallery.put([record("gone")], vector_of(5)[None], "another model")
    reembedder = Reembedder(stores.gallery, embedder)
    (chunk,) = reembedder.missing(model)
    assert chunk.done == 1
    ((damaged, error),) = chunk.failed
    assert (damaged.id, type(error)) == ("gone", ImageUndecodable)
    stored = stores.gallery.vectors(model.id, ["b"])["b"]
    assert np.allclose(stored, vector_of(2), atol=1e-6)
    (again,) = reembedder.missing(model)
    assert (again.done, [r.id for r, _ in again.failed]) == (0, ["gone"])


def test_vectors_of_an_adapted_model_are_mapped_where_its_base_knows_the_image(
    embedder: Embedder, model: ServedModel, encoder: Counting, stores: Stores
) -> None:
    size = FakeEncoder.dimension
    turned = LinearMap(np.eye(size, dtype=np.float32)[::-1].copy(), np.zeros(size, np.float32))
    data = picture(9)
    stores.blobs.put(digest_of(data), data)
    stores.gallery.put([record("c", sha256=digest_of(data))], vector_of(9)[None], "a third model")
    model.base = BaseMap("another model", turned)
    chunks = list(Reembedder(stores.gallery, embedder).missing(model))
    assert sum(chunk.done for chunk in chunks) == 2
    vectors = stores.gallery.vectors(model.id, ["a", "b", "c"])
    assert np.allclose(vectors["a"], vector_of(1), atol=1e-6), "it was there"
    assert np.allclose(vectors["b"], vector_of(2)[::-1], atol=1e-6), "it was mapped"
    assert np.allclose(vectors["c"], vector_of(9), atol=1e-6), "it was embedded"
    assert encoder.embedded == 1
