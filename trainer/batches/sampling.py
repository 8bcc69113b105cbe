"""P × K batches: P classes drawn anew each time, K images of each."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class BatchShape:
    """P ``classes`` in a batch, K ``images`` of each; ``singles`` of the classes have one image."""

    classes: int
    images: int
    singles: int = 0

    @property
    def size(self) -> int:
        """Images in a batch."""
        return self.classes * self.images


def batch_shape(
    labels: Sequence[int], classes: int, images: int, single: float = 0.0
) -> BatchShape:
    """Return the shape of batches of about ``classes`` · ``images``, from the classes that there are.

    With fewer classes than asked for, a batch holds them all, and more images of each. ``single`` is the
    share of a batch's classes that have a single image. Raises ``DataError`` when fewer than two
    classes have two images.
    """
    counts = Counter(labels)
    paired = sum(count > 1 for count in counts.values())
    if paired < 2:
        raise DataError("Fewer than two classes have two images or more; triplets need that.")
    alone = len(counts) - paired if single else 0
    singles = min(round(single * classes), alone, classes - 2)
    chosen = min(classes - singles, paired) + singles
    return BatchShape(chosen, max(images, classes * images // chosen), singles)


def epoch_batches(
    labels: Sequence[int],
    shape: BatchShape,
    rng: np.random.Generator,
    *,
    steps: int,
    neighbours: Indices | None = None,
    hard: float = 0.0,
) -> Iterator[Indices]:
    """Yield ``steps`` batches of indices [P · K], K neighbours in the array sharing a class.

    The classes come round in an order drawn anew each time. A class with fewer than K images repeats
    some. Classes of a single image take part only as ``shape.singles`` says.

    ``hard`` is the share of a batch's classes that are the nearest to its first class, which is
    drawn at random, among those that the epoch has still to show (batches of look-alike classes:
    Suh et al., Stochastic Class-based Hard Example Mining, CVPR 2019). ``neighbours`` [C, k] has
    the nearest classes of each, as of ``neighbour_classes``, by label; without it, all is random.
    """
    groups = _groups(labels)
    paired = {name: indices for name, indices in groups.items() if len(indices) > 1}
    alone = [indices for indices in groups.values() if len(indices) == 1]
    size = shape.classes - shape.singles
    near = None if neighbours is None else _renumbered(neighbours, np.array(list(paired), np.int64))
    indices = list(paired.values())
    chosen = _class_batches(len(indices), size, steps, rng, near, round(hard * size))
    extra = _class_batches(len(alone), shape.singles, steps, rng, None, 0)
    for batch in chosen:
        drawn = [indices[c] for c in batch.tolist()]
        drawn += [alone[c] for c in next(extra).tolist()] if shape.singles else []
        yield np.concatenate([_draw(p, shape.images, rng) for p in drawn])


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


def steps_per_epoch(labels: Sequence[int], shape: BatchShape) -> int:
    """Return the number of batches that have as many images as take part; each then comes about once."""
    counts = Counter(labels)
    images = sum(count for count in counts.values() if count > 1 or shape.singles)
    return max(1, -(-images // shape.size))


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
