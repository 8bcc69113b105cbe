"""What every gallery store does with records."""

from dataclasses import replace

import numpy as np

from app.storage.filters import parse_filter
from app.storage.gallery_store import GalleryStore
from app.storage.records import ImageRecord
from tests.support.records import put, record

ONE = np.zeros((1, 4), np.float32)


def ids(records: list[ImageRecord]) -> list[str]:
    return [each.id for each in records]


def test_a_record_comes_back_as_it_went(store: GalleryStore) -> None:
    given = record(
        "späte tür?",
        filename="日本.png",
        label="🍎",
        metadata={"größe": [1, 2.5, None, {"deep": "'; DROP TABLE images; --"}], "": True},
    )
    store.put([given], ONE, "m")
    (stored,) = store.get([given.id]).values()
    assert stored == replace(given, position=stored.position)


def test_only_what_exists_is_returned_however_many_are_asked_for(store: GalleryStore) -> None:
    names = [f"id{i}" for i in range(1200)]
    put(store, *names)
    assert store.get(["none"]) == {}
    assert store.get([]) == {}
    assert set(store.get([*names, "none"])) == set(names)
    assert store.count() == 1200


def test_pages_follow_the_order_of_arrival(store: GalleryStore) -> None:
    put(store, *"zyxwv")
    first = store.page(0, 2)
    second = store.page(first[-1].position, 2)
    third = store.page(second[-1].position, 2)
    assert [ids(first), ids(second), ids(third)] == [["z", "y"], ["x", "w"], ["v"]]
    assert store.page(third[-1].position, 2) == []


def test_a_replaced_image_keeps_its_position(store: GalleryStore) -> None:
    put(store, "a", "b", "c")
    before = store.get(["b"])["b"].position
    store.put([record("b", sha256="new", label="l")], ONE, "m")
    page = store.page(0, 10)
    assert ids(page) == ["a", "b", "c"]
    assert (page[1].sha256, page[1].label, page[1].position) == ("new", "l", before)
    assert store.count() == 3


def test_positions_are_not_used_again(store: GalleryStore) -> None:
    put(store, "a", "b")
    last = store.get(["b"])["b"].position
    store.delete(["b"])
    store.delete(["never there"])
    put(store, "c")
    assert ids(store.page(0, 10)) == ["a", "c"]
    assert store.get(["c"])["c"].position > last


def test_filters_follow_every_change(store: GalleryStore) -> None:
    cheap, shoes = parse_filter('{"price": {"lt": 5}}'), parse_filter('{"label": "shoe"}')
    store.put([record("a", metadata={"price": 1}), record("b")], np.zeros((2, 4), np.float32), "m")
    generation = store.generation
    assert (ids(store.page(0, 10, cheap)), store.count(cheap), store.count()) == (["a"], 1, 2)
    store.describe("a", "shoe", {"price": 9})
    assert store.generation > generation
    assert (ids(store.page(0, 10, cheap)), store.count(cheap)) == ([], 0)
    assert ids(store.page(0, 10, shoes)) == ["a"]
    store.put([record("a", metadata={"price": 2})], ONE, "m")
    assert ids(store.page(0, 10, cheap)) == ["a"]
    assert store.count(shoes) == 0
    store.delete(["a"])
    assert store.count(cheap) == 0
    store.describe("never there", "shoe", {})
    assert store.count(shoes) == 0


def test_one_and_true_are_two_filters(store: GalleryStore) -> None:
    records = [record("one", metadata={"stock": 1}), record("true", metadata={"stock": True})]
    store.put(records, np.zeros((2, 4), np.float32), "m")
    store.load("m", 4)
    for text, expected in [('{"stock": 1}', "one"), ('{"stock": true}', "true")]:
        where = parse_filter(text)
        assert ids(store.page(0, 10, where)) == [expected]
        assert store.nearest("m", ONE, 5, where)[0] == [[expected]]


def test_values_of_a_key_are_given_by_id(store: GalleryStore) -> None:
    given = {"a": 1, "b": "x", "c": True, "d": False, "e": [3, "2", 2], "f": None, "g": {"in": 1}}
    records = [record(i, metadata={"product": value}) for i, value in given.items()]
    store.put(records, np.zeros((7, 4), np.float32), "m")
    values = store.values_of("product", [*given, "none"])
    assert values == {"a": 1, "b": "x", "c": True, "d": False, "e": 2}
    assert [type(values[i]) for i in "acd"] == [int, bool, bool]
    assert store.values_of("product.in", list(given)) == {"g": 1}


def test_digests_are_used_as_long_as_a_record_needs_them(store: GalleryStore) -> None:
    both = [record("a", sha256="same"), record("b", sha256="same")]
    store.put(both, np.zeros((2, 4), np.float32), "m")
    many = [f"other{i}" for i in range(1000)]
    assert store.used([*many, "same"]) == {"same"}
    store.delete(["a"])
    assert store.used(["same"]) == {"same"}
    store.delete(["b"])
    assert store.used(["same"]) == set()


def test_what_there_is_is_counted(store: GalleryStore) -> None:
    empty = store.summary()
    assert (empty.images, empty.bytes, empty.vectors, empty.oldest) == (0, 0, {}, None)
    records = [
        record("a", label="x", media_type="image/jpeg", created_at="2026-01-02"),
        record("b", label="x", created_at="2026-01-01"),
        record("c", created_at="2026-01-03", bytes=5),
    ]
    store.put(records, np.zeros((3, 4), np.float32), "m")
    summary = store.summary()
    assert (summary.images, summary.bytes, summary.labels) == (3, 2005, 1)
    assert summary.media_types == {"image/jpeg": 1, "image/png": 2}
    assert (summary.vectors, summary.oldest, summary.newest) == (
        {"m": 3},
        "2026-01-01",
        "2026-01-03",
    )


def test_a_sample_is_from_all_over_the_gallery_and_stays_the_same(store: GalleryStore) -> None:
    assert store.sample(5) == []
    names = [f"id{i:04d}" for i in range(900)]
    put(store, *names)
    store.delete(names[300:400])
    drawn = ids(store.sample(50))
    assert 40 <= len(drawn) == len(set(drawn)) <= 50
    assert set(drawn) <= set(names) - set(names[300:400])
    assert min(drawn) < names[200]
    assert max(drawn) > names[700]
    assert drawn != sorted(drawn)
    assert ids(store.sample(50)) == drawn
    assert sorted(ids(store.sample(2000))) == names[:300] + names[400:]
