"""What every gallery store does with vectors: by model, and in order of distance."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.storage.filters import parse_filter
from app.storage.gallery_store import GalleryStore
from app.storage.stores import Stores
from tests.support.records import put, put_points, record

ONE = np.zeros((1, 4), np.float32)
# Few values, so that ties are many.
NUMBERS = st.integers(-2, 2)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), max_size=12)


def searchable(store: GalleryStore, model: str = "m") -> dict[str, list[float]]:
    """Every vector that a search of the loaded model can find."""
    ids, _ = store.nearest(model, ONE, 100)
    return {i: v.tolist() for i, v in store.vectors(model, ids[0]).items()}


def test_what_is_stored_before_and_after_loading_is_searchable(store: GalleryStore) -> None:
    put(store, "a", value=1)
    store.load("m", 4)
    assert searchable(store) == {"a": [1, 1, 1, 1]}
    put(store, "b", value=2)
    put(store, "a", value=3)
    assert searchable(store) == {"a": [3, 3, 3, 3], "b": [2, 2, 2, 2]}
    assert store.searchable("m") == 2
    store.delete(["a"])
    assert (searchable(store), store.searchable("m")) == ({"b": [2, 2, 2, 2]}, 1)


def test_a_model_is_searchable_until_it_was_unloaded_as_often_as_loaded(
    store: GalleryStore,
) -> None:
    assert store.searchable("m") == 0
    store.load("m", 4)
    store.load("m", 4)
    store.unload("m")
    put(store, "a")
    assert store.searchable("m") == 1
    store.unload("m")
    assert store.searchable("m") == 0
    store.load("m", 4)
    assert store.searchable("m") == 1


def test_a_replaced_image_loses_its_vectors_of_other_models(store: GalleryStore) -> None:
    put(store, "a", "b")
    store.put_vectors(list(store.get(["a", "b"]).values()), np.ones((2, 4), np.float32), "other")
    store.load("m", 4)
    store.load("other", 4)
    store.put([record("b", sha256="new")], np.full((1, 4), 7, np.float32), "m")
    assert searchable(store)["b"] == [7, 7, 7, 7]
    assert set(searchable(store, "other")) == {"a"}
    assert [r.id for r in store.without_vector("other", 0, 10)] == ["b"]


def test_vectors_of_a_model_are_given_whether_it_is_loaded_or_not(store: GalleryStore) -> None:
    put(store, "a", value=1)
    put(store, "b", value=2)
    asked = ["b", "none", "a"]
    for _ in range(2):
        assert {i: v.tolist() for i, v in store.vectors("m", asked).items()} == {
            "a": [1, 1, 1, 1],
            "b": [2, 2, 2, 2],
        }
        assert store.vectors("other", asked) == {}
        store.load("m", 4)


def test_images_without_a_vector_of_a_model_are_listed(store: GalleryStore) -> None:
    put(store, "a", "b", "c")
    assert store.without_vector("m", 0, 10) == []
    first = store.without_vector("other", 0, 2)
    assert [r.id for r in first] == ["a", "b"]
    assert [r.id for r in store.without_vector("other", first[-1].position, 2)] == ["c"]
    seen = list(store.get(["a", "c"]).values())
    store.put_vectors(seen, np.ones((2, 4), np.float32), "other")
    assert [r.id for r in store.without_vector("other", 0, 10)] == ["b"]


def test_vectors_go_only_to_the_image_that_was_looked_at(store: GalleryStore) -> None:
    put(store, "a", "b", "c")
    seen = list(store.get(["a", "b", "c"]).values())
    store.load("other", 4)
    store.put([record("b", sha256="new")], ONE, "m")
    store.delete(["c"])
    store.put_vectors(seen, np.ones((3, 4), np.float32), "other")
    assert searchable(store, "other") == {"a": [1, 1, 1, 1]}
    assert store.summary().vectors == {"m": 2, "other": 1}
    store.keep_vectors("other")
    assert store.summary().vectors == {"other": 1}


@pytest.mark.parametrize("count", [0, 1, 50])
def test_a_batch_equals_single_queries(store: GalleryStore, count: int) -> None:
    random = np.random.default_rng(1)
    put_points(store, random.integers(0, 4, (count, 2)).tolist())
    queries = random.random((7, 2)).astype(np.float32)
    ids, distances = store.nearest("m", queries, 5)
    assert distances.shape == (7, min(5, count))
    assert distances.dtype == np.float32
    for row, query in enumerate(queries):
        single_ids, single = store.nearest("m", query[None], 5)
        assert single_ids[0] == ids[row]
        assert np.array_equal(single[0], distances[row])


def test_twins_come_in_order_of_their_ids_and_no_page_repeats_or_misses_one(
    store: GalleryStore,
) -> None:
    ids = put_points(store, [(1, 1)] * 100)
    query = np.ones((1, 2), np.float32)
    assert store.nearest("m", query, 10)[0][0] == ids[:10]
    assert store.nearest("m", query, 1000)[0][0] == ids


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    points=POINTS,
    allowed=st.none() | st.sets(st.integers(0, 11)),
    k=st.integers(1, 13),
    radius=st.sampled_from([0.0, 1.0, float(np.sqrt(2)), 2.5]),
)
def test_neighbours_are_what_a_naive_loop_gives(
    stores: Stores, points: list[tuple[int, int]], allowed: set[int] | None, k: int, radius: float
) -> None:
    store = stores.gallery
    store.delete([r.id for r in store.page(0, 100)])
    ids = put_points(store, points, [{"n": i} for i in range(len(points))])
    where = None
    if allowed is not None:
        where = parse_filter(f'{{"n": {{"in": {sorted(allowed)}}}}}')
    found, distances = store.nearest("m", np.zeros((1, 2), np.float32), k, where)
    chosen = [i for i in range(len(points)) if allowed is None or i in allowed]
    expected = sorted((float(np.hypot(*points[i])), ids[i]) for i in chosen)[:k]
    assert found[0] == [image_id for _, image_id in expected]
    assert np.allclose(distances[0], [distance for distance, _ in expected])
    near = store.within("m", [*ids, "none"], radius)
    assert {i: set(others) for i, others in near.items()} == {
        ids[i]: {
            ids[j]
            for j in range(len(points))
            if i != j and np.hypot(*np.subtract(points[i], points[j])) <= radius
        }
        for i in range(len(points))
    }
    store.unload("m")


def test_a_filter_that_only_the_farthest_hundredth_satisfies_never_comes_short(
    store: GalleryStore,
) -> None:
    count = 1000
    metadata = [{"far": i >= count - 10} for i in range(count)]
    ids = put_points(store, [(i, 0) for i in range(count)], metadata)
    far = parse_filter('{"far": true}')
    found, _ = store.nearest("m", np.zeros((1, 2), np.float32), 5, far)
    assert found[0] == ids[-10:-5]
    found, _ = store.nearest("m", np.zeros((1, 2), np.float32), 50, far)
    assert found[0] == ids[-10:]
