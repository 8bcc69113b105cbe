"""Rankings against a naive loop: several queries, groups, what to leave out, and never too few."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.gallery.ranking import Narrowed, Row, rank
from app.index.flat import FlatIndex
from app.index.vector_index import Selection
from app.storage.filters import Scalar

# Few values, so that ties are many.
NUMBERS = st.integers(-2, 2)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=0, max_size=12)
GROUPS = st.one_of(st.none(), st.sampled_from(["a", "b", 1, True]))


def naive(
    points: list[tuple[int, int]],
    queries: list[tuple[int, int]],
    unlike: list[tuple[int, int]],
    groups: list[Scalar | None],
    allowed: set[int] | None,
    without: set[int],
    limit: float | None,
) -> list[str]:
    def distance(one: tuple[int, int], other: tuple[int, int]) -> float:
        return float(np.hypot(one[0] - other[0], one[1] - other[1]))

    rows = sorted((min(distance(q, p) for q in queries), f"{i:02}") for i, p in enumerate(points))
    seen: list[Any] = []
    kept = []
    for length, name in rows:
        i = int(name)
        if (allowed is not None and i not in allowed) or i in without:
            continue
        if limit is not None and length > limit:
            continue
        if any(distance(u, points[i]) < length for u in unlike):
            continue
        group = groups[i] if i < len(groups) else None
        if group is not None and (type(group), group) in seen:
            continue
        seen.append((type(group), group))
        kept.append(name)
    return kept


@settings(max_examples=300, deadline=None)
@given(
    points=POINTS,
    queries=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=3),
    unlike=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=2),
    groups=st.lists(GROUPS, max_size=12),
    allowed=st.one_of(st.none(), st.sets(st.integers(0, 11))),
    without=st.sets(st.integers(0, 11), max_size=2),
    limit=st.one_of(st.none(), st.sampled_from([0.0, 1.0, 2.5])),
    count=st.integers(1, 13),
)
def test_a_ranking_is_what_a_naive_loop_gives(
    points: list[tuple[int, int]],
    queries: list[tuple[int, int]],
    unlike: list[tuple[int, int]],
    groups: list[Scalar | None],
    allowed: set[int] | None,
    without: set[int],
    limit: float | None,
    count: int,
) -> None:
    index = filled(points)

    def groups_of(ids: Any) -> dict[str, Scalar]:
        known = {f"{i:02}": group for i, group in enumerate(groups) if group is not None}
        return {i: known[i] for i in ids if i in known}

    rows = rank(
        index,
        np.array(queries, np.float32),
        count,
        Narrowed(
            allowed=None if allowed is None else Selection([f"{i:02}" for i in allowed]),
            without=frozenset(f"{i:02}" for i in without),
            within=None if limit is None else lambda distance: distance <= limit,
            unlike=np.array(unlike, np.float32).reshape(-1, 2),
            groups=groups_of,
        ),
    )
    expected = naive(points, queries, unlike, groups, allowed, without, limit)
    assert [row.id for row in rows] == expected[:count]


def filled(points: list[tuple[int, int]]) -> FlatIndex:
    index = FlatIndex(2)
    names = [f"{i:02}" for i in range(len(points))]
    index.add(names, np.array(points, np.float32).reshape(-1, 2))
    return index


def test_what_only_the_farthest_satisfy_is_found_in_full() -> None:
    index = FlatIndex(2)
    names = [f"{i:05}" for i in range(10_000)]
    index.add(names, np.stack([np.arange(10_000), np.zeros(10_000)], 1).astype(np.float32))
    query = np.zeros((1, 2), np.float32)
    last = names[-100:]
    by_filter = rank(index, query, 50, Narrowed(allowed=Selection(last)))
    assert [row.id for row in by_filter] == last[:50]
    groups = dict.fromkeys(names[:-100], "one")
    grouped = rank(
        index, query, 50, Narrowed(groups=lambda ids: {i: groups[i] for i in ids if i in groups})
    )
    assert [row.id for row in grouped] == [names[0], *last[:49]]
    assert (grouped[0].group, grouped[1].group) == ("one", None)


def test_an_image_removed_meanwhile_is_no_row() -> None:
    class Shrinking(FlatIndex):
        def get(self, ids: Any) -> Any:
            return {key: vector for key, vector in super().get(ids).items() if key != "00"}

    index = Shrinking(2)
    index.add(["00", "01"], np.zeros((2, 2), np.float32))
    rows = rank(
        index, np.zeros((1, 2), np.float32), 2, Narrowed(unlike=np.ones((1, 2), np.float32))
    )
    assert rows == [Row("01", 0.0)]


@pytest.mark.parametrize("count", [1, 5])
def test_an_empty_index_gives_no_rows(count: int) -> None:
    assert rank(FlatIndex(2), np.zeros((1, 2), np.float32), count, Narrowed()) == []
