"""The gallery in order of distance from one query or several, under constraints, and grouped.

Whatever is asked for, rows are taken from an exact prefix of the ranking, and a longer prefix is
fetched until there are enough: so nothing comes short because something nearer was left out.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from app.bundle.encoder import Vectors
from app.gallery.places import Places
from app.storage.filters import Filter, Scalar
from app.storage.gallery_store import GalleryStore

DEEP = 10_000
"""Rows of a prefix from which on it takes much time and memory."""
# How much longer the next prefix is.
_GROWTH = 4
# Rows whose vectors, or records, are in memory at a time.
_CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Row:
    """An image, its distance from the nearest query, and its group where rows are grouped."""

    id: str
    distance: float
    group: Scalar | None = None


@dataclass(frozen=True, slots=True)
class Constraints:
    """What may be in a ranking.

    ``where`` is a filter that must hold, ``without`` has ids that are left out, ``within`` says
    whether a distance is near enough, ``unlike`` float32 [M, D] are vectors to stay away from: an
    image nearer to one of them than to every query is left out. ``group_by`` is the key of a filter:
    of all images with one value of it only the nearest stays. ``likely`` returns those of some rows
    that are likely enough.
    """

    where: Filter | None = None
    without: frozenset[str] = frozenset()
    within: Callable[[float], bool] | None = None
    unlike: Vectors | None = None
    group_by: str | None = None
    likely: Callable[[list["Row"]], list["Row"]] | None = None


def rank(
    store: GalleryStore,
    model_id: str,
    queries: Vectors,
    count: int,
    constraints: Constraints,
    places: Places | None = None,
) -> list[Row]:
    """Return the first ``count`` rows, ascending by distance, ties by id; fewer when there are no more.

    ``queries`` is float32 [N, D], N ≥ 1; a row's distance is that from the nearest of them. A prefix of
    more than ``DEEP`` rows takes one of ``places``: raises ``Overloaded`` when none is free.
    """
    fetch = count + len(constraints.without)
    with ExitStack() as held:
        while True:
            if places and min(fetch, store.searchable(model_id)) > DEEP:
                held.enter_context(places.taken())
                places = None
            prefix = nearest(store, model_id, queries, fetch, constraints.where)
            rows, complete = _apply(store, model_id, prefix, constraints)
            if complete or len(rows) >= count or len(prefix) < fetch:
                return rows[:count]
            fetch *= _GROWTH


def nearest(
    store: GalleryStore, model_id: str, queries: Vectors, count: int, where: Filter | None = None
) -> list[Row]:
    """Return the ``count`` images nearest to any of ``queries``; fewer when there are no more."""
    # What is among the first of the whole is among the first of the query that it is nearest to.
    ids, distances = store.nearest(model_id, queries, count, where)
    least: dict[str, float] = {}
    for row_ids, row in zip(ids, distances.tolist(), strict=True):
        for image_id, distance in zip(row_ids, row, strict=True):
            least[image_id] = min(distance, least.get(image_id, distance))
    rows = sorted((distance, image_id) for image_id, distance in least.items())
    return [Row(image_id, distance) for distance, image_id in rows[:count]]


def _apply(
    store: GalleryStore, model_id: str, prefix: list[Row], constraints: Constraints
) -> tuple[list[Row], bool]:
    """The rows that stay, and whether all that follow ``prefix`` are too far."""
    near = prefix
    if constraints.within:
        near = [row for row in prefix if constraints.within(row.distance)]
    rows = [row for row in near if row.id not in constraints.without]
    if likely := constraints.likely:
        rows = [row for chunk in _chunks(rows) for row in likely(chunk)]
    unlike = constraints.unlike
    if unlike is not None and len(unlike):
        rows = [
            row
            for chunk in _chunks(rows)
            for row in _nearer_than(
                unlike, chunk, store.vectors(model_id, [row.id for row in chunk])
            )
        ]
    if constraints.group_by:
        rows = _first_of_each(rows, store.values_of(constraints.group_by, [row.id for row in rows]))
    return rows, len(near) < len(prefix)


def _chunks(rows: list[Row]) -> Iterator[list[Row]]:
    for start in range(0, len(rows), _CHUNK):
        yield rows[start : start + _CHUNK]


def _nearer_than(unlike: Vectors, rows: list[Row], vectors: dict[str, Vectors]) -> list[Row]:
    nearer = []
    for row in rows:
        # An image removed a moment ago has no vector, and no record either.
        if row.id not in vectors:
            continue
        difference = unlike.astype(np.float64) - vectors[row.id]
        least = np.sqrt((difference**2).sum(axis=1)).min()
        # The store gives distances in float32; as near as the query is not nearer.
        if np.float32(least) >= np.float32(row.distance):
            nearer.append(row)
    return nearer


def _first_of_each(rows: list[Row], groups: dict[str, Scalar]) -> list[Row]:
    """One row of each group; an image without a group is a group of its own."""
    seen: set[tuple[type, Scalar]] = set()
    first = []
    for row in rows:
        group = groups.get(row.id)
        if group is not None:
            # True is 1 to Python, and 1 is 1.0 to everyone.
            key = (bool if isinstance(group, bool) else object, group)
            if key in seen:
                continue
            seen.add(key)
        first.append(Row(row.id, row.distance, group))
    return first
