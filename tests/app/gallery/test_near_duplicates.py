"""Near-duplicates against a naive grouping, and over a real port."""

import json
from collections.abc import Sequence

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.api.routes import duplicates as routes
from app.gallery import near_duplicates
from app.gallery.near_duplicates import duplicate_groups
from app.storage.memory import MemoryGalleryStore
from tests.support.images import encode, photo, picture
from tests.support.records import put_points

NUMBERS = st.integers(-3, 3)


def naive(points: list[tuple[int, int]], limit: float) -> set[frozenset[str]]:
    groups = [{i} for i in range(len(points))]
    for i, one in enumerate(points):
        for j, other in enumerate(points):
            if i < j and np.hypot(one[0] - other[0], one[1] - other[1]) <= limit:
                first = next(g for g in groups if i in g)
                second = next(g for g in groups if j in g)
                if first is not second:
                    first |= second
                    groups.remove(second)
    return {frozenset(f"{i:05}" for i in group) for group in groups if len(group) > 1}


@settings(max_examples=200, deadline=None)
@given(
    points=st.lists(st.tuples(NUMBERS, NUMBERS), max_size=15),
    limit=st.sampled_from([0.0, 1.0, float(np.sqrt(2)), 2.5, 100.0]),
)
def test_groups_are_what_a_naive_loop_gives(points: list[tuple[int, int]], limit: float) -> None:
    store = MemoryGalleryStore()
    put_points(store, points)
    groups = duplicate_groups(store, "m", limit)
    assert {frozenset(group) for group in groups} == naive(points, limit)
    assert sum(map(len, groups)) == len(set().union(*groups, set()))
    assert [len(group) for group in groups] == sorted(map(len, groups), reverse=True)
    assert all(group == sorted(group) for group in groups)


def test_memory_is_bounded_whatever_the_distance(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    class Watched(MemoryGalleryStore):
        def within(self, model_id: str, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
            asked.append(len(ids))
            return super().within(model_id, ids, radius)

    monkeypatch.setattr(near_duplicates, "_PAIRS", 1000)
    store = Watched()
    put_points(store, [(0, 0)] * 100)
    assert [len(group) for group in duplicate_groups(store, "m", 1)] == [100]
    assert max(asked) == 10


def test_looking_ends_when_nobody_waits_any_more() -> None:
    looks = 0

    def check() -> None:
        nonlocal looks
        looks += 1
        if looks == 2:
            raise TimeoutError

    store = MemoryGalleryStore()
    put_points(store, [(0, 0)] * 600)
    with pytest.raises(TimeoutError):
        duplicate_groups(store, "m", 1, check)


def test_hardening_a_large_group_is_answered_by_its_beginning(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_MEMBERS", 2)
    monkeypatch.setattr(routes, "_IMAGES", 3)
    kinds = ["PNG", "JPEG", "BMP", "TIFF"]
    alike = [picture(seed, kind) for seed in range(3) for kind in kinds]
    files = [("images", (f"{i}.img", data)) for i, data in enumerate(alike)]
    assert server.post("/gallery", files=files).status_code == 201
    first = server.get("/duplicates", params={"max_distance": 0.05}).json()
    assert [len(group["images"]) for group in first["groups"]] == [2, 2]
    assert [(group["size"], group["truncated"]) for group in first["groups"]] == [(4, True)] * 2
    assert (first["total"], first["next_offset"]) == (3, 2)
    last = server.get("/duplicates", params={"max_distance": 0.05, "offset": 2}).json()
    assert (len(last["groups"]), last["next_offset"]) == (1, None)


def test_copies_are_grouped_and_strangers_are_not(server: httpx.Client) -> None:
    files = [("images", (f"{i}.png", picture(i))) for i in range(6)]
    files += [("images", ("a.jpg", picture(2, "JPEG", quality=80)))]
    small = photo(2).resize((48, 32))
    files += [("images", ("b.png", encode(small))), ("images", ("c.jpg", picture(4, "JPEG")))]
    ids = json.dumps(["i0", "i1", "i2", "i3", "i4", "i5", "i2a", "i2b", "i4c"])
    assert server.post("/gallery", files=files, data={"ids": ids}).status_code == 201
    body = server.get("/duplicates", params={"max_distance": 0.05}).json()
    groups = [[image["id"] for image in group["images"]] for group in body["groups"]]
    assert groups == [["i2", "i2a", "i2b"], ["i4", "i4c"]]
    assert (body["total"], body["next_offset"]) == (2, None)
    paged = server.get("/duplicates", params={"max_distance": 0.05, "limit": 1, "offset": 1}).json()
    assert [i["id"] for i in paged["groups"][0]["images"]] == ["i4", "i4c"]
    server.delete("/gallery/i2b")
    body = server.get("/duplicates", params={"max_distance": 0.05}).json()
    assert len(body["groups"][0]["images"]) == 2
    for wrong in ({"max_distance": -1}, {"max_distance": "nan"}, {"limit": 0}, {"size": 1}):
        assert server.get("/duplicates", params=wrong).status_code == 422


def test_what_there_is_is_counted(server: httpx.Client) -> None:
    empty = server.get("/stats").json()
    assert (empty["images"], empty["bytes"], empty["oldest"]) == (0, 0, None)
    files = [("images", ("a.png", picture(1))), ("images", ("b.jpg", picture(2, "JPEG")))]
    server.post("/gallery", files=files, data={"labels": '["x", "x"]'})
    body = server.get("/stats").json()
    assert (body["images"], body["searchable"], body["labels"], body["jobs"]) == (2, 2, 1, 0)
    assert body["bytes"] == len(picture(1)) + len(picture(2, "JPEG"))
    assert body["media_types"] == {"image/jpeg": 1, "image/png": 1}
    assert body["vectors"] == {body["model"]["id"]: 2}
    assert body["oldest"] <= body["newest"]
