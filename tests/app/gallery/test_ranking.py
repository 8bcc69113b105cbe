"""Rankings against a naive loop: several queries, groups, what to leave out, and never too few."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.bundle.encoder import Vectors
from app.errors import Overloaded
from app.gallery import ranking
from app.gallery.places import Places
from app.gallery.ranking import Constraints, Row, rank
from app.storage.filters import In, Scalar
from app.storage.memory import MemoryGalleryStore
from tests.support.records import put_points
from tests.support.stores import STORES

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

    rows = sorted((min(distance(q, p) for q in queries), f"{i:05}") for i, p in enumerate(points))
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
    store = MemoryGalleryStore()
    metadata = [{"n": i, "group": groups[i] if i < len(groups) else None} for i in range(12)]
    put_points(store, points, metadata)
    rows = rank(
        store,
        "m",
        np.array(queries, np.float32),
        count,
        Constraints(
            where=None if allowed is None else In("n", tuple(allowed)),
            without=frozenset(f"{i:05}" for i in without),
            within=None if limit is None else lambda distance: distance <= limit,
            unlike=np.array(unlike, np.float32).reshape(-1, 2),
            group_by="group",
        ),
    )
    expected = naive(points, queries, unlike, groups, allowed, without, limit)
    assert [row.id for row in rows] == expected[:count]


@pytest.mark.parametrize("name", STORES)
def test_what_only_the_farthest_satisfy_is_returned_in_full(name: str, tmp_path: Path) -> None:
    with STORES[name](tmp_path) as stores:
        count = 2000
        metadata = [
            {"far": i >= count - 100, "group": "one" if i < count - 100 else None}
            for i in range(count)
        ]
        ids = put_points(stores.gallery, [(i, 0) for i in range(count)], metadata)
        query, last = np.zeros((1, 2), np.float32), ids[-100:]
        far = Constraints(where=In("far", (True,)))
        assert [row.id for row in rank(stores.gallery, "m", query, 50, far)] == last[:50]
        grouped = rank(stores.gallery, "m", query, 50, Constraints(group_by="group"))
        assert [row.id for row in grouped] == [ids[0], *last[:49]]
        assert (grouped[0].group, grouped[1].group) == ("one", None)


def test_hardening_a_deep_prefix_takes_a_place_however_it_came_to_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranking, "DEEP", 50)
    store = MemoryGalleryStore()
    put_points(store, [(i, 0) for i in range(100)], [{"group": "one"}] * 100)
    query, places = np.zeros((1, 2), np.float32), Places(1)
    grouped = Constraints(group_by="group")
    away = Constraints(unlike=np.array([[0.5, 0]], np.float32))
    with places.taken():
        assert len(rank(store, "m", query, 50, Constraints(), places)) == 50
        assert rank(store, "m", query, 1, grouped, places) == [Row("00000", 0, "one")]
        for count, constraints in (
            (51, Constraints()),
            (10**9, Constraints()),
            (5, grouped),
            (5, away),
        ):
            with pytest.raises(Overloaded):
                rank(store, "m", query, count, constraints, places)
    assert len(rank(store, "m", query, 51, Constraints(), places)) == 51
    assert len(rank(store, "m", query, 5, away, places)) == 1
    with places.taken():
        pass


def test_vectors_are_looked_at_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(MemoryGalleryStore):
        def vectors(self, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
            asked.append(len(ids))
            return super().vectors(model_id, ids)

    monkeypatch.setattr(ranking, "_CHUNK", 10)
    store = Watched()
    put_points(store, [(i, 0) for i in range(100)])
    away = Constraints(unlike=np.array([[200, 0]], np.float32))
    query = np.zeros((1, 2), np.float32)
    assert len(rank(store, "m", query, 99, away)) == 99
    # The first call is the naive store's own.
    assert max(asked[1:]) == 10


def test_an_image_removed_meanwhile_is_not_a_row() -> None:
    class Shrinking(MemoryGalleryStore):
        def vectors(self, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
            vectors = super().vectors(model_id, ids)
            return {key: vector for key, vector in vectors.items() if key != "00000"}

        def nearest(self, *_: object) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
            return [["00000", "00001"]], np.zeros((1, 2), np.float32)

    store = Shrinking()
    put_points(store, [(0, 0), (0, 0)])
    away = Constraints(unlike=np.ones((1, 2), np.float32))
    rows = rank(store, "m", np.zeros((1, 2), np.float32), 2, away)
    assert rows == [Row("00001", 0.0)]


@pytest.mark.parametrize("count", [1, 5])
def test_an_empty_gallery_gives_no_rows(count: int) -> None:
    store = MemoryGalleryStore()
    put_points(store, [])
    assert rank(store, "m", np.zeros((1, 2), np.float32), count, Constraints()) == []
