"""P × K batches: P classes drawn anew each time, K images of each."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from trainer.errors import DataError

Indices = npt.NDArray[np.int64]


def group_by_class(labels: Sequence[int]) -> list[Indices]:
    """For each class with two images or more, the places of its images."""
    places: dict[int, list[int]] = defaultdict(list)
    for place, label in enumerate(labels):
        places[label].append(place)
    return [np.array(p, np.int64) for _, p in sorted(places.items()) if len(p) > 1]


def epoch_batches(
    labels: Sequence[int], classes: int, images: int, rng: np.random.Generator
) -> Iterator[Indices]:
    """One epoch of index batches [classes · images], K neighbours in the array sharing a class.

    Every class comes once in an epoch, in an order drawn anew; the last batch is filled up with
    other classes. A class with fewer than K images repeats some; with fewer classes than P, a
    batch holds them all. Raises ``DataError`` when fewer than two classes have two images.
    """
    groups = group_by_class(labels)
    if len(groups) < 2:
        raise DataError("Fewer than two classes have two images or more; triplets need that.")
    size = min(classes, len(groups))
    order = rng.permutation(len(groups))
    for start in range(0, len(groups), size):
        chosen = order[start : start + size]
        if len(chosen) < size:
            others = np.setdiff1d(order, chosen)
            chosen = np.concatenate([chosen, rng.choice(others, size - len(chosen), replace=False)])
        yield np.concatenate([_draw(groups[c], images, rng) for c in chosen])


def _draw(places: Indices, count: int, rng: np.random.Generator) -> Indices:
    """``count`` of ``places``: all different while there are enough, then again from the start."""
    rounds = [rng.permutation(places) for _ in range(-(-count // len(places)))]
    return np.concatenate(rounds)[:count]


def steps_per_epoch(labels: Sequence[int], classes: int) -> int:
    groups = len(group_by_class(labels))
    return -(-groups // min(classes, groups)) if groups else 0
