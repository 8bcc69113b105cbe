"""The OpenVINO runtime with a tiny real graph."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.bundle.model_store import Bundle, resolve
from app.bundle.openvino import OpenVinoEncoder
from app.bundle.runtimes import load_encoder
from app.errors import RuntimeUnavailable
from app.testing import FakeEncoder


@pytest.fixture(scope="module")
def bundle(tiny_store: Path) -> Bundle:
    return resolve(tiny_store, "tiny")


@pytest.fixture(scope="module")
def encoder(bundle: Bundle) -> OpenVinoEncoder:
    return OpenVinoEncoder(bundle)


def images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 32, 32, 3)).astype(np.uint8)


def test_it_computes_what_the_graph_says(encoder: OpenVinoEncoder, bundle: Bundle) -> None:
    vectors = encoder.embed(images(9))
    assert (vectors.shape, vectors.dtype) == ((9, 48), np.float32)
    assert np.allclose(vectors, FakeEncoder().embed(images(9)), atol=1e-6)
    facts = (encoder.dimension, encoder.input_size, encoder.model_id)
    assert facts == (48, 32, bundle.manifest.model_id)


def test_a_batchs_rows_equal_the_single_ones(encoder: OpenVinoEncoder) -> None:
    batch = images(17)
    rows = encoder.embed(batch)
    for image, row in zip(batch, rows, strict=True):
        assert np.allclose(encoder.embed(image[None])[0], row, atol=1e-6)


def test_no_image_gives_no_vector(encoder: OpenVinoEncoder) -> None:
    vectors = encoder.embed(images(0))
    assert (vectors.shape, vectors.dtype) == ((0, 48), np.float32)


def test_an_array_that_is_not_contiguous_is_fine_and_stays_as_it_was(
    encoder: OpenVinoEncoder,
) -> None:
    whole = images(6)
    kept = whole.copy()
    flipped = whole[::2, :, ::-1]
    assert np.allclose(encoder.embed(flipped), encoder.embed(flipped.copy()), atol=1e-6)
    assert np.array_equal(whole, kept)


@pytest.mark.parametrize(
    "wrong", [images(1).astype(np.float32), images(1)[:, :31], images(1)[0], images(1)[..., :1]]
)
def test_a_wrong_shape_or_type_is_refused(encoder: OpenVinoEncoder, wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected uint8"):
        encoder.embed(wrong)


def test_threads_that_call_at_once_each_get_their_own_answer(encoder: OpenVinoEncoder) -> None:
    batches = [images(1 + seed % 4, seed) for seed in range(200)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(encoder.embed, batches))
    fake = FakeEncoder()
    for batch, answer in zip(batches, answers, strict=True):
        assert np.allclose(answer, fake.embed(batch), atol=1e-6)


def test_an_answer_is_not_overwritten_by_the_next(encoder: OpenVinoEncoder) -> None:
    first = encoder.embed(images(2, 1))
    kept = first.copy()
    encoder.embed(images(2, 2))
    assert np.array_equal(first, kept)


@pytest.mark.parametrize("content", [b"", b"no XML", b"<net/>", b"<?xml version='1.0'?><net>"])
def test_a_corrupt_graph_is_one_sentence(tmp_path: Path, bundle: Bundle, content: bytes) -> None:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "model.xml").write_bytes(content)
    with pytest.raises(RuntimeUnavailable, match="openvino") as caught:
        load_encoder(replace(bundle, path=tmp_path))
    assert "\n" not in str(caught.value)


def test_a_missing_graph_is_one_sentence(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(RuntimeUnavailable, match="openvino") as caught:
        load_encoder(replace(bundle, path=tmp_path))
    assert "\n" not in str(caught.value)


def test_a_graph_of_another_dimension_is_found_out(bundle: Bundle) -> None:
    claimed = bundle.manifest.model_copy(update={"dimension": 7})
    with pytest.raises(ValueError, match=r"the graph gave \(1, 48\), not \(1, 7\)"):
        OpenVinoEncoder(replace(bundle, manifest=claimed)).embed(images(1))
