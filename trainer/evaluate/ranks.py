"""Where a query's first right answer stands, when it is far down."""

import numpy as np
import numpy.typing as npt

from trainer.evaluate.embedding import Labelled

_QUERIES, _GALLERY = 32, 8192


def first_ranks(
    queries: Labelled, gallery: Labelled | None, rows: npt.NDArray[np.int64]
) -> npt.NDArray[np.int64]:
    """Rank from 1 of the nearest right answer of the queries at ``rows`` [n] → int64 [n].

    Without ``gallery`` the queries are searched in each other, never in themselves; equal distances
    rank by place. Each query needs a right answer. Counts how many are nearer than the nearest
    right one, which needs no sorting; memory holds 32 × M distances.
    """
    answers = gallery or queries
    ranks = np.empty(len(rows), np.int64)
    for start in range(0, len(rows), _QUERIES):
        chunk = rows[start : start + _QUERIES]
        squared = _squared(queries.vectors[chunk], answers.vectors)
        if gallery is None:
            squared[np.arange(len(chunk)), chunk] = np.inf
        for i, row in enumerate(chunk):
            right = np.flatnonzero((answers.labels == queries.labels[row]) & (squared[i] < np.inf))
            nearest = right[squared[i][right].argmin()]
            limit = squared[i][nearest]
            before = (squared[i] < limit).sum() + (squared[i][:nearest] == limit).sum()
            ranks[start + i] = before + 1
    return ranks


def _squared(
    queries: npt.NDArray[np.float32], answers: npt.NDArray[np.float32]
) -> npt.NDArray[np.float64]:
    """Squared Euclidean distances [n, M] in float64, from the differences' expansion."""
    left = queries.astype(np.float64)
    out = np.empty((len(left), len(answers)))
    for start in range(0, len(answers), _GALLERY):
        right = answers[start : start + _GALLERY].astype(np.float64)
        norms = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1)[None, :]
        out[:, start : start + _GALLERY] = norms - 2 * left @ right.T
    return out
