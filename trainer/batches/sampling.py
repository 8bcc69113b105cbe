"""P × K batches: P classes drawn anew each time, K images of each."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

Indices = npt.NDArray[np.int64]
# Rows of distances that exist at a time.
_CHUNK = 512


def _groups(labels: Sequence[int]) -> dict[int, Indices]:
    """Return the indices of each class's images."""
    indices: dict[int, list[int]] = defaultdict(list)
    for index, label in enumerate(labels):
        indices[label].append(index)
    return {label: np.array(p, np.int64) for label, p in sorted(indices.items())}


def epoch_batches(
    labels: Sequence[int],
    classes: int,
    images: int,
    rng: np.random.Generator,
    *,
    steps: int | None = None,
    neighbours: Indices | None = None,
    hard: float = 0.0,
    single: float = 0.0,
) -> Iterator[Indices]:
    """Yield one epoch of batches of indices [classes · images], K neighbours in the array sharing a class.

    Every class comes once in an epoch, in an order drawn anew; the last batch is filled up with
    other classes. With ``steps`` an epoch has that many batches, and the classes come round as
    often as that takes. A class with fewer than K images repeats some; with fewer classes than P, a
    batch holds them all. ``single`` is the share of a batch's classes drawn from those of a single
    image, which take no part otherwise; they come round as fast as that share takes.

    ``hard`` is the share of a batch's classes that are the nearest to its first class, which is
    drawn at random, among those that the epoch has still to show (batches of look-alike classes:
    Suh et al., Stochastic Class-based Hard Example Mining, CVPR 2019). ``neighbours`` [C, k] has
    the nearest classes of each, as of ``neighbour_classes``, by label; without it, all is random.
    Raises ``DataError`` when fewer than two classes have two images.
    """
    groups = _groups(labels)
    paired = {name: indices for name, indices in groups.items() if len(indices) > 1}
    alone = [indices for indices in groups.values() if len(indices) == 1] if single else []
    if len(paired) < 2:
        raise DataError("Fewer than two classes have two images or more; triplets need that.")
    others = min(round(single * classes), len(alone), classes - 2)
    size = min(classes - others, len(paired))
    count = _steps(len(paired), size) if steps is None else steps
    near = None if neighbours is None else _renumbered(neighbours, np.array(list(paired), np.int64))
    indices = list(paired.values())
    chosen = _class_batches(len(indices), size, count, rng, near, round(hard * size))
    extra = _class_batches(len(alone), others, count, rng, None, 0) if others else None
    for batch in chosen:
        drawn = [indices[c] for c in batch.tolist()]
        drawn += [alone[c] for c in next(extra).tolist()] if extra else []
        yield np.concatenate([_draw(p, images, rng) for p in drawn])


def _class_batches(
    classes: int,
    size: int,
    count: int,
    rng: np.random.Generator,
    near: list[Indices] | None,
    hard: int,
) -> Iterator[Indices]:
    """``count`` sets of ``size`` different classes of 0…classes-1; see ``epoch_batches``."""
    unseen, seen = np.empty(0, np.int64), np.zeros(classes, bool)
    for _ in range(count):
        if not len(unseen):
            unseen = rng.permutation(classes)
            seen[:] = False
        first, rest = unseen[:1], unseen[1:]
        if near is not None and hard:
            nearest = near[int(first[0])]
            first = np.concatenate([first, nearest[~seen[nearest]][: min(hard, size - 1)]])
            seen[first] = True
            rest = rest[~seen[rest]]
        chosen = np.concatenate([first, rest[: size - len(first)]])
        unseen = rest[size - len(first) :]
        seen[chosen] = True
        if len(chosen) < size:
            others = np.setdiff1d(np.arange(classes), chosen)
            chosen = np.concatenate([chosen, rng.choice(others, size - len(chosen), replace=False)])
        yield chosen


def _renumbered(neighbours: Indices, names: Indices) -> list[Indices]:
    """Neighbours of the classes ``names``, numbered by their index in it; all other classes drop out."""
    index = np.full(len(neighbours), -1, np.int64)
    index[names] = np.arange(len(names))
    return [row[row >= 0] for row in index[neighbours[names]]]


def _draw(indices: Indices, count: int, rng: np.random.Generator) -> Indices:
    """``count`` of ``indices``: all different while there are enough, then again from the start."""
    rounds = [rng.permutation(indices) for _ in range(-(-count // len(indices)))]
    return np.concatenate(rounds)[:count]


def steps_per_epoch(labels: Sequence[int], classes: int, *, single: float = 0.0) -> int:
    """Return the number of batches in which every class of two images or more comes once."""
    counts = Counter(labels)
    paired = sum(count > 1 for count in counts.values())
    alone = len(counts) - paired if single else 0
    others = min(round(single * classes), alone, classes - 2)
    return _steps(paired, min(classes - others, paired)) if paired else 0


def _steps(classes: int, size: int) -> int:
    return -(-classes // size)


def class_centroids(embeddings: npt.NDArray[Any], labels: Sequence[int]) -> npt.NDArray[np.float32]:
    """Return the mean of the embeddings [N, D] of each class 0…C-1, float32 [C, D]; every class has some."""
    numbers = np.asarray(labels, np.int64)
    sums = np.zeros((int(numbers.max()) + 1, embeddings.shape[1]), np.float32)
    np.add.at(sums, numbers, embeddings)
    return sums / np.bincount(numbers).astype(np.float32)[:, None]


def neighbour_classes(centroids: npt.NDArray[np.float32], k: int) -> Indices:
    """Return the ``k`` nearest other classes of each, nearest first, int64 [C, min(k, C - 1)].

    By Euclidean distance of the ``centroids`` [C, D]; equally near ones in order of number. Works
    through chunks of classes, so that no C × C matrix exists.
    """
    count = len(centroids)
    k = max(min(k, count - 1), 0)
    nearest = np.empty((count, k), np.int64)
    if not k:
        return nearest
    vectors = np.asarray(centroids, np.float32)
    squares = (vectors * vectors).sum(axis=1)
    for start in range(0, count, _CHUNK):
        rows = slice(start, start + _CHUNK)
        # |a - b|² without |a|², which is the same along a row.
        distances = squares - 2 * vectors[rows] @ vectors.T
        own = np.arange(len(distances))
        distances[own, start + own] = np.inf
        few = np.sort(np.argpartition(distances, k - 1, axis=1)[:, :k], axis=1)
        order = np.take_along_axis(distances, few, axis=1).argsort(axis=1, kind="stable")
        nearest[rows] = np.take_along_axis(few, order, axis=1)
    return nearest
