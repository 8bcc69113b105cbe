"""Batches of embeddings that the tests of losses share, and what is naive about them."""

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from trainer.losses.distances import pair_masks, pairwise

MARGIN = 0.2


def unit(rows: int, seed: int, dimension: int = 6) -> np.ndarray:
    """Unit vectors float32 [rows, dimension]."""
    vectors = np.random.default_rng(seed).normal(size=(rows, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def euclidean(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.sqrt(((a.astype(np.float64) - b) ** 2).sum()))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


# Any labels: classes of one image, and one class alone, among them.
labels = st.lists(st.integers(0, 3), min_size=1, max_size=9).map(np.array)
seeds = st.integers(0, 10_000)


def measured(y: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Distances of random unit vectors with the labels ``y``, and their two masks."""
    x = unit(len(y), seed)
    positives, negatives = pair_masks(y)
    return np.array(pairwise(x, x)), np.array(positives), np.array(negatives)


def mean(terms: Sequence[float]) -> float:
    return float(np.mean(terms)) if terms else 0.0
