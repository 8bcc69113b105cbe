"""/gallery over a real port: listing, changing and removing images."""

import json
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.storage.blob_store import BlobStore
from tests.support.images import picture
from tests.support.serving import in_thread


@pytest.fixture
def filled(server: httpx.Client) -> httpx.Client:
    files = [("images", (f"{i}.png", picture(i))) for i in range(6)]
    data = {
        "ids": json.dumps([f"id{i}" for i in range(6)]),
        "labels": json.dumps(["shoe", "shoe", "hat", "hat", None, None]),
        "metadata": json.dumps([{"price": i, "shop": {"city": "Rome"}} for i in range(6)]),
    }
    assert server.post("/gallery", files=files, data=data).status_code == 201
    return server


def listed(server: httpx.Client, **query: Any) -> list[str]:
    return [image["id"] for image in server.get("/gallery", params=query).json()["images"]]


def test_label_and_metadata_change_without_the_rest(filled: httpx.Client) -> None:
    before = filled.get("/gallery/id2").json()
    changes = {"label": "cap", "metadata": {"price": 9, "shop": {"zip": 1}, "sale": True}}
    answer = filled.patch("/gallery/id2", json=changes)
    assert answer.status_code == 200
    expected = {"price": 9, "shop": {"city": "Rome", "zip": 1}, "sale": True}
    assert answer.json() == {**before, "label": "cap", "metadata": expected}
    assert filled.get("/gallery/id2").json() == answer.json()
    gone = filled.patch("/gallery/id2", json={"label": None, "metadata": {"shop": None}}).json()
    assert (gone["label"], gone["metadata"]) == (None, {"price": 9, "sale": True})
    found = filled.post("/search", files={"image": picture(2)}, data={"filter": '{"sale": true}'})
    assert [r["id"] for r in found.json()["results"]] == ["id2"]
    assert filled.patch("/gallery/id2", json={}).json() == gone


def test_a_change_lasts(settings: Settings) -> None:
    with in_thread(settings) as server:
        server.post("/gallery", files={"images": picture(1)}, data={"ids": '["a"]'})
        server.patch("/gallery/a", json={"metadata": {"price": 5}})
    with in_thread(settings) as server:
        assert server.get("/gallery/a").json()["metadata"] == {"price": 5}
        assert listed(server, filter='{"price": 5}') == ["a"]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"label": 5}', "label"),
        ('{"label": "\\u0000"}', "label"),
        ('{"metadata": []}', "metadata"),
        ('{"metadata": null}', "metadata"),
        ('{"metadata": {"a": NaN}}', "metadata"),
        ('{"metadata": {"a": 1e999}}', "metadata"),
        ('{"metadata": {"a": "\\ud800"}}', "metadata"),
        ('{"metadata": ' + '{"a": ' * 50 + "1" + "}" * 50 + "}", "metadata"),
        ('{"price": 5}', "price"),
        ("{", ""),
    ],
)
def test_an_impossible_change_is_refused(filled: httpx.Client, body: str, name: str) -> None:
    before = filled.get("/gallery/id1").json()
    headers = {"Content-Type": "application/json"}
    answer = filled.patch("/gallery/id1", content=body, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
    assert name in answer.json()["detail"]
    assert filled.get("/gallery/id1").json() == before


def test_metadata_cannot_grow_beyond_their_limit_by_changes(filled: httpx.Client) -> None:
    assert filled.patch("/gallery/id1", json={"metadata": {"a": "x" * 9_000}}).status_code == 200
    answer = filled.patch("/gallery/id1", json={"metadata": {"b": "x" * 9_000}})
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
    assert "16,384" in answer.json()["detail"]


def test_a_number_too_large_for_json_is_refused_when_adding(server: httpx.Client) -> None:
    answer = server.post(
        "/gallery", files={"images": picture(1)}, data={"metadata": '[{"a": 1e400}]'}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")


def test_unknown_images_are_named(filled: httpx.Client) -> None:
    answer = filled.patch("/gallery/none", json={"label": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "image_not_found")


def test_the_list_can_be_filtered_and_paged(filled: httpx.Client) -> None:
    assert listed(filled, filter='{"label": "shoe"}') == ["id0", "id1"]
    assert listed(filled, filter='{"price": {"gte": 2}}', limit=3) == ["id2", "id3", "id4"]
    first = filled.get("/gallery", params={"filter": '{"price": {"gte": 2}}', "limit": 3}).json()
    query = {"filter": '{"price": {"gte": 2}}', "cursor": first["next_cursor"]}
    assert listed(filled, **query) == ["id5"]
    assert filled.get("/gallery", params={"filter": "x"}).status_code == 422


def test_the_gallery_is_paged_by_cursor(filled: httpx.Client) -> None:
    seen, cursor = [], None
    while True:
        query = {"limit": 4, **({"cursor": cursor} if cursor else {})}
        page = filled.get("/gallery", params=query).json()
        seen += [image["id"] for image in page["images"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [f"id{i}" for i in range(6)]
    assert filled.get("/gallery", params={"cursor": "x"}).status_code == 422
    assert filled.get("/gallery", params={"limit": 0}).status_code == 422


def test_many_can_be_removed_by_a_filter(filled: httpx.Client, blobs: BlobStore) -> None:
    answer = filled.delete("/gallery", params={"filter": '{"label": {"in": ["shoe", "hat"]}}'})
    assert (answer.status_code, answer.json()) == (200, {"removed": 4})
    assert listed(filled) == ["id4", "id5"]
    found = filled.post("/search", files={"image": picture(1)}, data={"top_k": 10}).json()
    assert sorted(r["id"] for r in found["results"]) == ["id4", "id5"]
    assert len(list(blobs.digests())) == 2
    assert filled.delete("/gallery").status_code == 422, "what to remove must be said"
    assert filled.delete("/gallery", params={"filter": "[]"}).status_code == 422
    assert filled.delete("/gallery", params={"filter": "{}"}).json() == {"removed": 2}
    assert listed(filled) == []


def test_long_keys_of_many_values_are_refused(server: httpx.Client) -> None:
    """Each value is stored with all the keys that lead to it: 16 kB would become 14 MB."""
    server.post("/gallery", files={"images": picture(1)}, data={"ids": '["a"]'})
    metadata = {"k" * 7000: {f"{number}": 1 for number in range(900)}}
    answer = server.patch("/gallery/a", json={"metadata": metadata})
    assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
    assert "keys are too long" in answer.json()["detail"]


def test_hardening_a_page_ends_early_where_its_images_have_much_to_say(
    server: httpx.Client,
) -> None:
    """A thousand images with the largest metadata were an answer of 16 MB."""
    said = {"text": "ü" * 8000}
    for start in range(0, 300, 60):
        ids = [f"id{i:03}" for i in range(start, start + 60)]
        data = {"ids": json.dumps(ids), "metadata": json.dumps([said] * 60, ensure_ascii=False)}
        files = [("images", ("a.png", picture(1))) for _ in ids]
        assert server.post("/gallery", files=files, data=data).status_code == 201
    first = server.get("/gallery", params={"limit": 1000})
    assert len(first.content) < 4_500_000
    shown = [image["id"] for image in first.json()["images"]]
    assert 200 < len(shown) < 300
    after = {"limit": 1000, "cursor": first.json()["next_cursor"]}
    last = server.get("/gallery", params=after).json()
    shown += [image["id"] for image in last["images"]]
    assert shown == [f"id{i:03}" for i in range(300)]
    assert last["next_cursor"] is None
