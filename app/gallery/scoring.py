"""How probable a match is in a gallery, by what its own labels say."""

import numpy as np

from app.bundle.encoder import Vectors
from app.bundle.margins import Codes, Floats, Margins, distances
from app.bundle.scoring import MIN_PAIRS, TOP_K, Matches, Scoring, fit_scoring
from app.bundle.tail import Tail

_QUERIES = 500
_LEAST = 1e-6


def gallery_scoring(
    vectors: Vectors, classes: Codes, margins: Margins, tail: Tail
) -> Scoring | None:
    """Fit on a gallery's own images, float32 [N, D] of ``classes`` [N] in random order.

    Each of the first 500 that has others of its class is searched twice: among all, and among those of
    other classes, as if it had no match. Distances are in units of ``margins``, as ``tail`` has them. None
    where there is too little to fit on, or a smaller distance does not make a match likelier.
    """
    sizes = np.bincount(classes)
    rows = np.flatnonzero(sizes[classes] > 1)[:_QUERIES]
    apart = distances(vectors[rows], vectors)
    same = classes[rows, None] == classes
    apart[np.arange(len(rows)), rows] = np.inf
    alone = np.where(same, np.inf, apart / margins.without(classes[rows]))
    pairs = [_first(apart / margins.nearest, same), _first(alone, same)]
    found, matches = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    if min(matches.sum(), (~matches).sum()) < MIN_PAIRS:
        return None
    expected = [tail.log_expected(distance, len(vectors)) for distance in found.tolist()]
    scoring = fit_scoring(np.array(expected), matches)
    return scoring if scoring.slope < 0 else None


def _first(apart: Floats, same: Matches) -> tuple[Floats, Matches]:
    """The least distances of each row of [Q, N], and whether those are matches; without the infinite ones."""
    first = np.argpartition(apart, TOP_K, axis=1)[:, :TOP_K]
    found = np.take_along_axis(apart, first, axis=1)
    known = np.isfinite(found)
    return np.maximum(found[known], _LEAST), np.take_along_axis(same, first, axis=1)[known]
