"""The gallery in order of distance from one query or several, narrowed and grouped. Pure.

Whatever is asked for, rows are taken from an exact prefix of the ranking, and a longer prefix is
fetched until there are enough: so nothing comes short because something nearer was left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.bundle.encoder import Vectors
from app.index.vector_index import Selection, VectorIndex
from app.storage.filters import Scalar

# How much longer the next prefix is.
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class Row:
    """An image, its distance from the nearest query, and its group where rows are grouped."""

    id: str
    distance: float
    group: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Narrowed:
    """What may be in a ranking.

    ``allowed`` has the only ids (None: all), ``without`` ids that are left out, ``within`` says
    whether a distance is near enough, ``unlike`` float32 [M, D] are vectors to stay away from: an
    image nearer to one of them than to every query is left out. ``groups`` gives the group of ids
    that have one; of each group only the nearest image stays.
    """

    allowed: Selection | None = None
    without: frozenset[str] = frozenset()
    within: Callable[[float], bool] | None = None
    unlike: Vectors | None = None
    groups: Callable[[Sequence[str]], dict[str, Scalar]] | None = None


def rank(index: VectorIndex, queries: Vectors, count: int, narrowed: Narrowed) -> list[Row]:
    """The first ``count`` rows, ascending by distance, ties by id; fewer when there are no more.

    ``queries`` is float32 [N, D], N ≥ 1; a row's distance is that from the nearest of them.
    """
    available = len(index) if narrowed.allowed is None else len(narrowed.allowed.ids)
    fetch = count + len(narrowed.without)
    while True:
        found = nearest(index, queries, fetch, narrowed.allowed)
        kept, complete = _kept(index, found, narrowed)
        if complete or len(kept) >= count or fetch >= available:
            return kept[:count]
        fetch = min(_GROWTH * fetch, available)


def nearest(
    index: VectorIndex, queries: Vectors, count: int, allowed: Selection | None
) -> list[Row]:
    """The ``count`` images nearest to any of ``queries``."""
    # What is among the first of the whole is among the first of the query that it is nearest to.
    ids, distances = index.search(queries, count, allowed)
    least: dict[str, float] = {}
    for names, row in zip(ids, distances.tolist(), strict=True):
        for image_id, distance in zip(names, row, strict=True):
            least[image_id] = min(distance, least.get(image_id, distance))
    rows = sorted((distance, image_id) for image_id, distance in least.items())
    return [Row(image_id, distance) for distance, image_id in rows[:count]]


def _kept(index: VectorIndex, found: list[Row], narrowed: Narrowed) -> tuple[list[Row], bool]:
    """The rows that stay, and whether all that follow ``found`` are too far."""
    near = found
    if narrowed.within:
        near = [row for row in found if narrowed.within(row.distance)]
    rows = [row for row in near if row.id not in narrowed.without]
    if narrowed.unlike is not None and len(narrowed.unlike):
        rows = _nearer_than(index, rows, narrowed.unlike)
    if narrowed.groups:
        rows = _first_of_each(rows, narrowed.groups([row.id for row in rows]))
    return rows, len(near) < len(found)


def _nearer_than(index: VectorIndex, rows: list[Row], unlike: Vectors) -> list[Row]:
    vectors = index.get([row.id for row in rows])
    kept = []
    for row in rows:
        # An image removed a moment ago has no vector, and no record either.
        if row.id not in vectors:
            continue
        away = unlike.astype(np.float64) - vectors[row.id]
        least = np.sqrt((away**2).sum(axis=1)).min()
        # The index gives distances in float32; as near as the query is not nearer.
        if np.float32(least) >= np.float32(row.distance):
            kept.append(row)
    return kept


def _first_of_each(rows: list[Row], groups: dict[str, Scalar]) -> list[Row]:
    """One row of each group; an image without a group is a group of its own."""
    seen: set[tuple[type, Scalar]] = set()
    kept = []
    for row in rows:
        group = groups.get(row.id)
        if group is not None:
            # True is 1 to Python, and 1 is 1.0 to everyone.
            key = (bool if isinstance(group, bool) else object, group)
            if key in seen:
                continue
            seen.add(key)
        kept.append(Row(row.id, row.distance, group))
    return kept
