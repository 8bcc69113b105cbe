"""Galleries drawn from half of the classes, and queries with and without a match in them."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.bundle.encoder import Vectors
from benchmarks.false_alarms.images import Images, Kind, Labels, joined

QUERIES = 500
# What is drawn of a class to be asked for, where queries and gallery are the same images.
_ASKED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A gallery, of which ``own`` images are of the kind, and queries without and with a match."""

    gallery: Images
    own: int
    strangers: Vectors
    queries: Images


def trials(
    kind: Kind, fill: Images, size: int, count: int, rng: np.random.Generator
) -> Iterator[Trial]:
    """Yield trials in galleries of ``size``; none where there are too few images for them."""
    names = np.unique(kind.gallery.labels)
    for _ in range(count):
        inside = rng.permutation(names)[: len(names) // 2]
        gallery, asked = _divided(kind, inside, rng)
        own = min(size, len(gallery.labels))
        more = rng.permutation(len(fill.labels))[: size - own]
        searched = joined([gallery.take(np.arange(own)), fill.take(more)])
        order = rng.permutation(len(searched.labels))
        searched = searched.take(order)
        if len(order) < size:
            return
        outside = ~np.isin(asked.labels, inside)
        known = np.isin(asked.labels, searched.labels)
        yield Trial(
            searched,
            own,
            asked.vectors[outside][:QUERIES],
            asked.take(np.flatnonzero(known)[:QUERIES]),
        )


def _divided(kind: Kind, inside: Labels, rng: np.random.Generator) -> tuple[Images, Images]:
    """The images of ``inside`` to search, and those to search for, both in random order."""
    images = kind.gallery.take(rng.permutation(len(kind.gallery.labels)))
    kept = np.isin(images.labels, inside)
    if kind.queries is not None:
        return images.take(kept), kind.queries.take(rng.permutation(len(kind.queries.labels)))
    seen: dict[str, int] = {}
    taken = np.zeros(len(kept), bool)
    for place, label in enumerate(images.labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        taken[place] = seen[label] <= _ASKED
    taken |= ~kept
    return images.take(~taken), images.take(taken)
