"""How much room each image has: the distance to the nearest image of another class.

Some images have look-alikes of other classes close by, others stand alone, and what is near enough
for a match differs as much: a distance is judged in units of the margin of the image that was found.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]

_CHUNK = 256
# Between copies that have different labels.
_LEAST = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Margins:
    """Of N images: the distance of the nearest of another class, which class that is, and the
    distance of the nearest of neither. Float64, int64, float64 [N].
    """

    nearest: Floats
    rival: Codes
    next_nearest: Floats

    def without(self, classes: Codes) -> Floats:
        """Return the margins [Q, N] that there would be without the images of each of ``classes`` [Q]."""
        return np.where(self.rival == classes[:, None], self.next_nearest, self.nearest)


def margins(vectors: Vectors, classes: Codes) -> Margins:
    """Return the margins among embeddings float32 [N, D] of ``classes`` [N]; infinite without others."""
    count = len(vectors)
    nearest, next_nearest = np.full(count, np.inf), np.full(count, np.inf)
    rival = np.full(count, -1, np.int64)
    for start in range(0, count, _CHUNK):
        rows = slice(start, min(start + _CHUNK, count))
        apart = distances(vectors[rows], vectors)
        apart[classes[rows, None] == classes] = np.inf
        place = apart.argmin(axis=1)
        rival[rows] = classes[place]
        nearest[rows] = apart[np.arange(len(place)), place]
        apart[rival[rows, None] == classes] = np.inf
        next_nearest[rows] = apart.min(axis=1)
    return Margins(np.maximum(nearest, _LEAST), rival, np.maximum(next_nearest, _LEAST))


def margins_to(
    vectors: Vectors, classes: Sequence[int], known: Vectors, known_classes: Codes
) -> Floats:
    """Return the margins of embeddings [N, D] of ``classes`` among other ones [M, D]; float64 [N]."""
    apart = distances(vectors, known)
    apart[np.asarray(classes, np.int64)[:, None] == known_classes] = np.inf
    least: Floats = np.maximum(apart.min(axis=1), _LEAST)
    return least


def distances(one: Vectors, other: Vectors) -> Floats:
    """Return Euclidean distances, float64 [N, M], of float32 [N, D] and [M, D]."""
    squares = np.einsum("nd,nd->n", one, one)[:, None] + np.einsum("nd,nd->n", other, other)
    apart = (squares - 2 * one @ other.T).astype(np.float64)
    return np.asarray(np.sqrt(np.maximum(apart, 0)))


def codes_of(classes: Sequence[object]) -> Codes:
    """Return a number for each class, int64 [N]."""
    known: dict[object, int] = {}
    return np.array([known.setdefault(each, len(known)) for each in classes], np.int64)
