"""Fits the tail of distances between images that do not match (``app.bundle.tail``).

Images whose classes are known are searched among the others, and answers of the same class left
out. What the nearest answers would have been among fewer images follows from them without another
search: of a random part ρ of the images, the j-th nearest is the nearest with probability
ρ (1 - ρ) ** (j - 1).
"""

import math

import numpy as np

from app.bundle.encoder import Vectors
from app.bundle.margins import Codes, Floats, Margins, distances
from app.bundle.tail import Tail, allowed

MIN_IMAGES = 100
"""Fewer images say too little of a tail."""

_NEAREST = 24
_CHUNK = 256
# Parts of the images, and parts of the queries that have a false alarm, at which the tail is measured.
_PARTS = (1.0, 0.5, 0.25)
_RATES = (0.02, 0.03, 0.05, 0.08, 0.12, 0.2)
# Queries that must lie behind a measured point.
_MIN_QUERIES = 3
_POWERS = (1.0, 64.0)
_SIZE_POWERS = (0.25, 1.0)
_LEAST = 1e-6


def fit_tail(
    vectors: Vectors,
    classes: Codes,
    margins: Margins | None = None,
    queries: int = 1000,
) -> Tail | None:
    """Fit on embeddings float32 [N, D] in random order, equal ``classes`` int64 [N] being matches.

    The first ``queries`` of them are searched among all. With ``margins`` of the same images the
    tail is that of distances in units of the margin of the image that is found; what a query's own
    class adds to that is left out, since a query without a match has none. None when fewer than
    ``MIN_IMAGES`` are given, or when they lie too oddly for a fit, such as all in one place. The fewer
    the queries, the more the result is on the side of caution, by a standard error.
    """
    if len(vectors) < MIN_IMAGES:
        return None
    nearest = nearest_non_matches(vectors, classes, queries, margins)
    points = _points(nearest, len(vectors) - 1)
    if len(points) < len(_RATES):
        return None
    sizes, expected, distances = np.log(points).T
    design = np.stack([np.ones(len(points)), sizes, expected], axis=1)
    _, by_size, by_expected = np.linalg.lstsq(design, distances, rcond=None)[0]
    power = float(np.clip(1 / max(by_expected, 1e-9), *_POWERS))
    size_power = float(np.clip(-by_size * power, *_SIZE_POWERS))
    # The level goes through the middle of the points, whatever was clipped.
    level = float(np.mean(expected - size_power * sizes - power * distances))
    level += math.log1p(1 / math.sqrt(0.05 * len(nearest)))
    images = len(vectors) - 1
    distance = math.exp(-(level + size_power * math.log(images)) / power)
    return Tail(
        images=images,
        distance=round(distance, 6),
        power=round(power, 4),
        size_power=round(size_power, 4),
    )


def nearest_non_matches(
    vectors: Vectors, classes: Codes, queries: int, margins: Margins | None = None
) -> Floats:
    """Return the 24 least distances of each of the first ``queries`` to images of other classes.

    Float64 [Q, 24], ascending; infinite where there are no more. In units of ``margins``, if given.
    """
    count = min(queries, len(vectors))
    nearest = np.full((count, _NEAREST), np.inf)
    for start in range(0, count, _CHUNK):
        rows = slice(start, min(start + _CHUNK, count))
        apart = distances(vectors[rows], vectors)
        if margins is not None:
            apart /= margins.without(classes[rows])
        apart[classes[rows, None] == classes] = np.inf
        kept = min(_NEAREST, apart.shape[1])
        nearest[rows, :kept] = np.sort(np.partition(apart, kept - 1, axis=1)[:, :kept], axis=1)
    return nearest


def spread(vectors: Vectors) -> float:
    """Return the distance that one in ten of all pairs do not exceed, of up to 500 images [N, D]."""
    some = vectors[:500]
    pairs = distances(some, some)[np.triu_indices(len(some), 1)]
    return float(np.quantile(pairs, 0.1)) if len(pairs) else 0.0


def _points(nearest: Floats, images: int) -> Floats:
    """Images searched, non-matches expected, distance: float64 [P, 3]."""
    order = np.argsort(nearest, axis=None)
    distances, ranks = nearest.ravel()[order], order % nearest.shape[1]
    points = []
    for part in _PARTS:
        found = np.cumsum(part * (1 - part) ** ranks) / len(nearest)
        for rate in _RATES:
            if rate * len(nearest) < _MIN_QUERIES:
                continue
            # A sum of probabilities may end a hair below the one that it stands for.
            place = int(np.searchsorted(found, rate - 1e-9))
            if place < len(distances) and np.isfinite(distances[place]):
                points.append((part * images, allowed(rate), max(distances[place], _LEAST)))
    return np.array(points, np.float64).reshape(-1, 3)
