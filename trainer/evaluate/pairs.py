"""Distances of pairs drawn at random: how far apart matches and non-matches lie."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from trainer.evaluate.embedding import Labelled

Distances = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]

LIMIT = 20_000
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Pairs:
    """Euclidean distances, float32 [≤ limit] each; ``negative`` is empty where one class is all."""

    positive: Distances
    negative: Distances


def sample_pairs(
    queries: Labelled, gallery: Labelled | None = None, limit: int = LIMIT, seed: int = 0
) -> Pairs:
    """Draw ``limit`` matches and ``limit`` non-matches of queries and gallery, with replacement.

    A query is drawn first, each as likely as another, then its partner among all gallery images of
    its class, or of other classes; without ``gallery`` the partner is another query. Every query
    needs a right answer. No more than the two samples and a chunk of vectors is held.
    """
    own = gallery is None
    answers = queries if gallery is None else gallery
    labels = np.concatenate([queries.labels, answers.labels]).astype(str)
    codes = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    asked, answered = codes[: len(queries.labels)], codes[len(queries.labels) :]
    # Sorted by class, the gallery has each class in one block: [start, start + size).
    order = np.argsort(answered, kind="stable")
    sizes = np.bincount(answered, minlength=codes.max() + 1)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)

    drawn = rng.integers(0, len(asked), limit)
    start, size = starts[asked[drawn]], sizes[asked[drawn]]
    index = rng.integers(0, size - own)
    if own:
        position = np.empty_like(order)
        position[order] = np.arange(len(order))
        index += index >= position[drawn] - start
    positive = _distances(queries.vectors, drawn, answers.vectors, order[start + index])

    drawn = rng.integers(0, len(asked), limit)
    start, size = starts[asked[drawn]], sizes[asked[drawn]]
    others = len(order) - size
    if not others.all():
        keep = others > 0
        drawn, start, size, others = drawn[keep], start[keep], size[keep], others[keep]
    index = rng.integers(0, others)
    index += size * (index >= start)
    return Pairs(positive, _distances(queries.vectors, drawn, answers.vectors, order[index]))


def _distances(a: Vectors, rows: Indices, b: Vectors, columns: Indices) -> Distances:
    parts = [np.empty(0, np.float32)]
    for start in range(0, len(rows), _CHUNK):
        chunk = slice(start, start + _CHUNK)
        difference = a[rows[chunk]].astype(np.float64) - b[columns[chunk]]
        parts.append(np.sqrt((difference**2).sum(axis=1)).astype(np.float32))
    return np.concatenate(parts)
