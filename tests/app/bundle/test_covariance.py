"""Covariances a chunk at a time, and their shrinkage, against their definitions."""

import numpy as np
import pytest

from app.bundle import covariance
from app.bundle.covariance import Covariance, covariance_around, descending


def stretched(count: int, width: int = 8) -> np.ndarray:
    """Vectors that vary most along the first number, around a mean far away."""
    scales = np.geomspace(4, 0.1, width)
    return np.random.default_rng(0).standard_normal((count, width)) * scales + 10


def centred(count: int) -> np.ndarray:
    vectors = stretched(count)
    return vectors - vectors.mean(axis=0)


def of(vectors: np.ndarray) -> Covariance:
    return covariance_around(vectors, np.zeros(vectors.shape[1]))


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_it_is_the_same_in_chunks(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    vectors = stretched(30)
    monkeypatch.setattr(covariance, "CHUNK", chunk)
    found = covariance_around(vectors, vectors.mean(axis=0))
    np.testing.assert_allclose(found.matrix, np.cov(vectors.T, bias=True), atol=1e-12)
    assert found.shrinkage() == pytest.approx(of(centred(30)).shrinkage())


def test_shrinkage_is_that_of_a_naive_loop() -> None:
    vectors = centred(12)
    plain = vectors.T @ vectors / len(vectors)
    target = np.trace(plain) / 8 * np.eye(8)
    apart = sum(((np.outer(x, x) - plain) ** 2).sum() for x in vectors) / len(vectors) ** 2
    expected = min(apart / ((plain - target) ** 2).sum(), 1)
    found = of(vectors)
    assert found.shrinkage() == pytest.approx(expected)
    np.testing.assert_allclose(
        found.shrunk(), (1 - expected) * plain + expected * target, atol=1e-12
    )


def test_many_vectors_are_hardly_shrunk_and_few_are() -> None:
    assert of(centred(20_000)).shrinkage() < 0.01
    assert 0.1 < of(centred(4)).shrinkage() <= 1


def test_what_varies_nowhere_or_alike_everywhere_is_a_multiple_of_the_identity() -> None:
    assert of(np.zeros((3, 4))).shrinkage() == 1
    assert of(np.eye(4)).shrinkage() == 1
    assert not Covariance(4).matrix.any()


def test_axes_come_with_the_largest_first_and_a_sign_of_their_own() -> None:
    symmetric = of(stretched(50)).matrix
    values, axes = descending(symmetric)
    assert (np.diff(values) <= 0).all()
    np.testing.assert_allclose((axes * values) @ axes.T, symmetric, rtol=1e-6, atol=1e-9)
    assert all(axis[np.abs(axis).argmax()] > 0 for axis in axes.T)
    assert descending(np.zeros((3, 3)))[0].min() > 0
