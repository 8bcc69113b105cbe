"""The database: records and vectors, in order, and told apart from a spoilt file."""

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.errors import StorageUnavailable
from app.storage.filters import parse_filter
from app.storage.local.catalog import Catalog, ImageRecord
from app.storage.local.database import Database


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "gallery.sqlite3"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    opened = Database(path)
    yield opened
    opened.close()


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(database)


def record(image_id: str, **changes: Any) -> ImageRecord:
    plain = ImageRecord(
        id=image_id,
        sha256=f"sha-{image_id}",
        filename=None,
        label=None,
        metadata={},
        width=96,
        height=64,
        media_type="image/png",
        bytes=1000,
    )
    return replace(plain, **changes)


def put(catalog: Catalog, *ids: str, model: str = "m", value: float = 0) -> None:
    catalog.put([record(i) for i in ids], np.full((len(ids), 4), value, np.float32), model)


def add_vectors(catalog: Catalog, *ids: str, model: str = "other") -> None:
    records = catalog.get(ids)
    catalog.put_vectors([records[i] for i in ids], np.ones((len(ids), 4), np.float32), model)


def ids(records: list[ImageRecord]) -> list[str]:
    return [each.id for each in records]


def vectors(catalog: Catalog, model: str = "m", chunk: int = 4096) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for names, rows in catalog.vectors(model, 4, chunk):
        found.update(zip(names, rows.tolist(), strict=True))
    return found


def test_a_record_comes_back_as_it_went_also_after_a_restart(
    catalog: Catalog, database: Database, path: Path
) -> None:
    given = record(
        "späte tür?",
        filename="日本.png",
        label="🍎",
        metadata={"größe": [1, 2.5, None, {"deep": "'; DROP TABLE images; --"}], "": True},
    )
    catalog.put([given], np.arange(4, dtype=np.float32)[None], "m")
    assert catalog.get([given.id]) == {given.id: replace(given, position=1)}
    database.close()
    reopened = Database(path)
    again = Catalog(reopened)
    assert again.get([given.id]) == {given.id: replace(given, position=1)}
    assert vectors(again) == {given.id: [0, 1, 2, 3]}
    reopened.close()


def test_only_what_exists_is_found_however_many_are_asked_for(catalog: Catalog) -> None:
    names = [f"id{i}" for i in range(1200)]
    put(catalog, *names)
    assert catalog.get(["none"]) == {}
    assert catalog.get([]) == {}
    assert set(catalog.get([*names, "none"])) == set(names)
    assert len(catalog) == 1200


def test_a_replaced_image_keeps_its_place_and_loses_other_models_vectors(catalog: Catalog) -> None:
    put(catalog, "a", "b", "c")
    add_vectors(catalog, "b")
    catalog.put([record("b", sha256="new", label="l")], np.full((1, 4), 7, np.float32), "m")
    page = catalog.page(0, 10)
    assert ids(page) == ["a", "b", "c"]
    assert (page[1].sha256, page[1].label, page[1].position) == ("new", "l", 2)
    assert vectors(catalog)["b"] == [7, 7, 7, 7]
    assert vectors(catalog, "other") == {}


def test_deletion_takes_the_vectors_along_and_positions_are_not_used_again(
    catalog: Catalog,
) -> None:
    put(catalog, "a", "b")
    catalog.delete(["b"])
    catalog.delete(["never there"])
    assert vectors(catalog) == {"a": [0, 0, 0, 0]}
    put(catalog, "c")
    assert [each.position for each in catalog.page(0, 10)] == [1, 3]


def test_pages_follow_the_order_of_arrival(catalog: Catalog) -> None:
    put(catalog, *"zyxwv")
    first = catalog.page(0, 2)
    second = catalog.page(first[-1].position, 2)
    third = catalog.page(second[-1].position, 2)
    assert [ids(first), ids(second), ids(third)] == [["z", "y"], ["x", "w"], ["v"]]
    assert catalog.page(third[-1].position, 2) == []


def test_images_without_a_vector_of_a_model_are_found(catalog: Catalog) -> None:
    put(catalog, "a", "b", "c")
    assert catalog.without_vector("m", 0, 10) == []
    assert ids(catalog.without_vector("other", 0, 2)) == ["a", "b"]
    add_vectors(catalog, "a", "c")
    assert ids(catalog.without_vector("other", 0, 10)) == ["b"]


@pytest.mark.parametrize("chunk", [1, 3, 7, 100])
def test_vectors_come_in_chunks_and_exactly(catalog: Catalog, chunk: int) -> None:
    values = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    catalog.put([record(f"id{i}") for i in range(7)], values, "m")
    parts = list(catalog.vectors("m", 4, chunk))
    assert [name for names, _ in parts for name in names] == [f"id{i}" for i in range(7)]
    assert np.array_equal(np.concatenate([rows for _, rows in parts]), values)
    assert max(len(names) for names, _ in parts) == min(chunk, 7)
    assert list(catalog.vectors("unknown", 4)) == []


@pytest.mark.parametrize(
    ("blob", "reason"),
    [
        (b"short", "wrong length"),
        (np.array([0, 1, np.nan, 3], "<f4").tobytes(), "altered"),
        (np.array([0, 1, np.inf, 3], "<f4").tobytes(), "altered"),
    ],
)
def test_a_spoilt_vector_is_reported(
    catalog: Catalog, path: Path, blob: bytes, reason: str
) -> None:
    put(catalog, "a", "b")
    tamper(path, "UPDATE vectors SET vector = ? WHERE position = 2", blob)
    with pytest.raises(StorageUnavailable, match=reason):
        vectors(catalog)


def test_spoilt_metadata_is_reported(catalog: Catalog, path: Path) -> None:
    put(catalog, "a")
    tamper(path, "UPDATE images SET metadata = ?", "{cut sh")
    with pytest.raises(StorageUnavailable, match="altered"):
        catalog.get(["a"])


def tamper(path: Path, statement: str, *values: object) -> None:
    database = sqlite3.connect(path)
    database.execute(statement, values)
    database.commit()
    database.close()


def test_a_write_that_fails_half_way_leaves_nothing(catalog: Catalog) -> None:
    broken = record("b", filename=object())
    with pytest.raises(StorageUnavailable):
        catalog.put([record("a"), broken], np.zeros((2, 4), np.float32), "m")
    assert len(catalog) == 0
    assert vectors(catalog) == {}
    put(catalog, "a")
    assert len(catalog) == 1


def test_digests_and_their_uses(catalog: Catalog) -> None:
    zeros = np.zeros((2, 4), np.float32)
    catalog.put([record("a", sha256="same"), record("b", sha256="same")], zeros, "m")
    assert catalog.digests() == {"same"}
    catalog.delete(["a"])
    assert catalog.uses("same")
    catalog.delete(["b"])
    assert not catalog.uses("same")
    assert catalog.digests() == set()


def test_vectors_go_only_to_the_image_that_was_looked_at(catalog: Catalog) -> None:
    put(catalog, "a", "b", "c")
    seen = catalog.get(["a", "b", "c"])
    catalog.put([record("b", sha256="new")], np.zeros((1, 4), np.float32), "m")
    catalog.delete(["c"])
    catalog.put_vectors(list(seen.values()), np.ones((3, 4), np.float32), "other")
    assert vectors(catalog, "other") == {"a": [1, 1, 1, 1]}
    assert catalog.count_vectors("other") == 1
    catalog.keep_vectors("other")
    assert (catalog.count_vectors("m"), catalog.count_vectors("other")) == (0, 1)


def test_filters_follow_every_change(catalog: Catalog) -> None:
    cheap = parse_filter('{"price": {"lt": 5}}')
    zeros = np.zeros((1, 4), np.float32)
    catalog.put([record("a", metadata={"price": 1})], zeros, "m")
    generation = catalog.generation
    assert catalog.matching(cheap) == ["a"]
    catalog.describe("a", "shoe", {"price": 9})
    assert catalog.generation > generation
    assert catalog.matching(cheap) == []
    assert catalog.matching(parse_filter('{"label": "shoe"}')) == ["a"]
    catalog.put([record("a", metadata={"price": 2})], zeros, "m")
    assert ids(catalog.page(0, 10, cheap)) == ["a"]
    assert catalog.matching(parse_filter('{"label": "shoe"}')) == []
    catalog.delete(["a"])
    assert catalog.matching(cheap) == []


def test_values_of_a_key_are_found_by_id(catalog: Catalog) -> None:
    given = {"a": 1, "b": "x", "c": True, "d": False, "e": [3, 2], "f": None, "g": {"in": 1}}
    records = [record(i, metadata={"product": value}) for i, value in given.items()]
    catalog.put(records, np.zeros((7, 4), np.float32), "m")
    found = catalog.values_of("product", [*given, "none"])
    assert found == {"a": 1, "b": "x", "c": True, "d": False, "e": 2}
    assert [type(found[i]) for i in "acd"] == [int, bool, bool]
    assert catalog.values_of("product.in", list(given)) == {"g": 1}


def steps(database: Database, work: Callable[[], object]) -> int:
    """How many instructions SQLite runs for ``work``."""
    count = 0

    def counted() -> int:
        nonlocal count
        count += 1
        return 0

    with database.reading() as db:
        db.set_progress_handler(counted, 1)
        work()
        db.set_progress_handler(None, 1)
    return count


def test_a_change_costs_the_same_however_many_images_there_are(
    database: Database, catalog: Catalog
) -> None:
    def change() -> int:
        return sum(
            steps(database, work)
            for work in (
                lambda: put(catalog, "new"),
                lambda: put(catalog, "new"),
                lambda: catalog.delete(["new"]),
            )
        )

    put(catalog, *map(str, range(20)))
    few = change()
    put(catalog, *map(str, range(3000)))
    assert change() <= 1.2 * few
