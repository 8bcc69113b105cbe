"""How well labelled images find their like: each is searched in all the others. Pure functions."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors

Labels = npt.NDArray[np.str_]
Values = npt.NDArray[np.float64]

# Queries searched at a time.
_ROWS = 512
_RESAMPLES = 2000
# Drawn class numbers held at a time.
_DRAWN = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Figures:
    """Recall@1 and MAP@R of every image, float64 [N] each."""

    recall_at_1: Values
    map_at_r: Values

    def means(self) -> dict[str, float]:
        """Return the means, by the names that manifests give them."""
        return {
            "recall@1": round(float(self.recall_at_1.mean()), 4),
            "map@r": round(float(self.map_at_r.mean()), 4),
        }


def some_classes(labels: Labels, most: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Return the places, ascending, of all images of classes drawn at random, at most ``most`` images.

    ``labels`` is [N]; an empty one is none. Classes of one image are left out. A class larger than what
    is left of ``most`` is cut.
    """
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    asked = np.flatnonzero((counts > 1) & (names != ""))
    chosen: list[npt.NDArray[np.int64]] = []
    for code in rng.permutation(asked):
        room = most - sum(map(len, chosen))
        if room < 2:
            break
        chosen.append(rng.permutation(np.flatnonzero(codes == code))[:room])
    return np.sort(np.concatenate(chosen)) if chosen else np.empty(0, np.int64)


def leave_one_out(vectors: Vectors, labels: Labels) -> Figures:
    """Search each of ``vectors`` float32 [N, D] in all others; ``labels`` [N] say which are right.

    MAP@R is (1/R) Σ over i ≤ R of the precision at i, where answer i is right, R being the number of
    right ones (Musgrave et al., arXiv:2003.08505). Every class needs two images: raises ``ValueError``.
    """
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if (counts < 2).any():
        raise ValueError(f"{names[counts.argmin()]!r} has one image, which has nothing to find")
    recall, precision = np.zeros(len(labels)), np.zeros(len(labels))
    squares = np.square(vectors).sum(axis=1)
    order = np.argsort(codes, kind="stable")
    # One product for many classes: threads that share it wait for each other once.
    for start in range(0, len(order), _ROWS):
        block = order[start : start + _ROWS]
        # The query's own square is the same for every answer.
        distances = squares - 2 * vectors[block] @ vectors.T
        distances[np.arange(len(block)), block] = np.inf
        for code in np.unique(codes[block]):
            mine = codes[block] == code
            right = int(counts[code]) - 1
            hits = codes[_nearest(distances[mine], right)] == code
            recall[block[mine]] = hits[:, 0]
            places = np.arange(1, right + 1)
            precision[block[mine]] = (hits * hits.cumsum(axis=1) / places).sum(axis=1) / right
    return Figures(recall, precision)


def _nearest(distances: npt.NDArray[np.float32], count: int) -> npt.NDArray[np.int64]:
    """Return the places [N, count] of the least of each row, ascending."""
    chosen = np.argpartition(distances, count - 1, axis=1)[:, :count]
    order = np.argsort(np.take_along_axis(distances, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def clearly_less(before: Values, after: Values, labels: Labels) -> bool:
    """Return whether the mean of ``after`` [N] is shown to be below that of ``before``, image by image.

    It is when the 95 % bootstrap interval of the difference lies below zero, whole classes being drawn:
    images of a class succeed and fail together. One class shows nothing.
    """
    _, codes = np.unique(labels, return_inverse=True)
    sums, counts = np.bincount(codes, after - before), np.bincount(codes)
    if len(sums) < 2:
        return False
    rng = np.random.default_rng(0)
    means: list[Values] = []
    for start in range(0, _RESAMPLES, step := max(1, _DRAWN // len(sums))):
        drawn = rng.integers(0, len(sums), (min(step, _RESAMPLES - start), len(sums)))
        means.append(sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1))
    return bool(np.quantile(np.concatenate(means), 0.975) < 0)
