"""The flat index against a naive loop, with ties, removals and allowed sets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.index.flat import FlatIndex
from app.index.vector_index import Selection


def naive(vectors: dict[str, np.ndarray], query: np.ndarray, k: int) -> list[tuple[float, str]]:
    pairs = [
        (float(np.sqrt(((v.astype(np.float64) - query) ** 2).sum())), name)
        for name, v in vectors.items()
    ]
    return sorted(pairs)[:k]


def filled(count: int, dimension: int = 4, *, seed: int = 0) -> tuple[FlatIndex, dict]:
    # Small integers make many exact ties.
    values = np.random.default_rng(seed).integers(0, 3, (count, dimension)).astype(np.float32)
    vectors = {f"id{i:03}": value for i, value in enumerate(values)}
    index = FlatIndex(dimension)
    if count:
        index.add(list(vectors), values)
    return index, vectors


@settings(deadline=None, max_examples=60)
@given(
    count=st.integers(0, 80),
    k=st.integers(1, 100),
    seed=st.integers(0, 9),
    removed=st.sets(st.integers(0, 79), max_size=30),
    limit=st.none() | st.sets(st.integers(0, 90), max_size=40),
)
def test_search_equals_a_naive_loop(
    count: int, k: int, seed: int, removed: set[int], limit: set[int] | None
) -> None:
    index, vectors = filled(count, seed=seed)
    gone = {f"id{i:03}" for i in removed}
    index.remove(gone)
    allowed = None if limit is None else {f"id{i:03}" for i in limit}
    kept = {
        name: v
        for name, v in vectors.items()
        if name not in gone and (allowed is None or name in allowed)
    }
    query = np.array([1, 1, 0, 2], np.float32)
    chosen = None if allowed is None else Selection(allowed)
    ids, distances = index.search(query[None], k, chosen)
    expected = naive(kept, query, k)
    assert ids[0] == [name for _, name in expected]
    assert np.allclose(distances[0], [d for d, _ in expected])
    assert len(index) == len(vectors.keys() - gone)


@settings(deadline=None, max_examples=40)
@given(
    limit=st.sets(st.integers(0, 60), max_size=40),
    changes=st.lists(
        st.tuples(st.booleans(), st.sets(st.integers(0, 60), min_size=1, max_size=20)), max_size=5
    ),
)
def test_a_selection_is_found_anew_after_every_change(
    limit: set[int], changes: list[tuple[bool, set[int]]]
) -> None:
    index, vectors = filled(30)
    chosen = Selection([f"id{i:03}" for i in sorted(limit)])
    query = np.array([1, 1, 0, 2], np.float32)
    for number, (is_added, numbers) in enumerate([(True, {0}), *changes]):
        ids = [f"id{i:03}" for i in sorted(numbers)]
        if is_added:
            new = np.random.default_rng(number).integers(0, 3, (len(ids), 4)).astype(np.float32)
            index.add(ids, new)
            vectors |= dict(zip(ids, new, strict=True))
        else:
            index.remove(ids)
            vectors = {name: v for name, v in vectors.items() if name not in ids}
        found = index.search(query[None], 100, chosen)[0][0]
        allowed = {name: v for name, v in vectors.items() if name in chosen.ids}
        assert found == [name for _, name in naive(allowed, query, 100)]


def test_pages_of_a_gallery_of_twins_neither_repeat_nor_miss() -> None:
    index = FlatIndex(2)
    names = [f"twin{i:03}" for i in range(100)]
    index.add(names, np.ones((100, 2), np.float32))
    query = np.ones((1, 2), np.float32)
    assert index.search(query, 10)[0][0] == names[:10]
    assert index.search(query, 100)[0][0] == names


def test_a_batch_equals_single_queries() -> None:
    index, _ = filled(50)
    queries = np.random.default_rng(1).random((7, 4)).astype(np.float32)
    ids, distances = index.search(queries, 5)
    for row, query in enumerate(queries):
        single_ids, single = index.search(query[None], 5)
        assert single_ids[0] == ids[row]
        assert np.array_equal(single[0], distances[row])


def test_adding_a_known_id_replaces_its_vector() -> None:
    index, _ = filled(10)
    index.add(["id003"], np.full((1, 4), 9, np.float32))
    assert len(index) == 10
    ids, distances = index.search(np.full((1, 4), 9, np.float32), 1)
    assert ids == [["id003"]]
    assert distances[0, 0] == 0


def test_impossible_calls_are_refused() -> None:
    index, _ = filled(3)
    with pytest.raises(ValueError, match="twice"):
        index.add(["a", "a"], np.zeros((2, 4), np.float32))
    with pytest.raises(ValueError, match="expected"):
        index.add(["a"], np.zeros((1, 5), np.float32))
    with pytest.raises(ValueError, match="expected"):
        index.search(np.zeros((1, 3), np.float32), 1)
    with pytest.raises(ValueError, match="k must"):
        index.search(np.zeros((1, 4), np.float32), 0)
