"""POST /gallery over a real port: adding images, and every way to get it wrong."""

import json

import httpx
import pytest

from app.config import Settings
from app.storage.blob_store import BlobStore
from tests.support.images import picture
from tests.support.serving import in_thread


def upload(server: httpx.Client, *images: bytes, **fields: object) -> httpx.Response:
    files = [("images", (f"image{i}.png", data)) for i, data in enumerate(images)]
    data = {k: v if isinstance(v, str) else json.dumps(v) for k, v in fields.items()}
    return server.post("/gallery", files=files, data=data)


def test_what_is_added_is_listed_found_and_removed(server: httpx.Client) -> None:
    answer = upload(
        server,
        picture(1),
        picture(2),
        ids=["one", None],
        labels=["first", None],
        metadata=[{"price": 5}, {}],
    )
    assert answer.status_code == 201
    body = answer.json()
    assert (body["created"], body["failed"]) == (2, 0)
    assert [item["status"] for item in body["items"]] == ["created", "created"]
    second = body["items"][1]["id"]
    assert len(second) == 32

    listed = server.get("/gallery").json()
    assert [image["id"] for image in listed["images"]] == ["one", second]
    assert listed["total"] == 2
    one = server.get("/gallery/one").json()
    assert (one["label"], one["metadata"], one["filename"]) == (
        "first",
        {"price": 5},
        "image0.png",
    )
    assert (one["width"], one["height"], one["media_type"]) == (96, 64, "image/png")

    found = server.post("/search", files={"image": picture(1)}).json()
    assert found["results"][0]["id"] == "one"
    assert found["results"][0]["distance"] < 0.01

    assert server.delete("/gallery/one").status_code == 204
    assert server.get("/gallery/one").json()["code"] == "image_not_found"
    assert server.delete("/gallery/one").status_code == 404
    found = server.post("/search", files={"image": picture(1)}).json()
    assert [result["id"] for result in found["results"]] == [second]


def test_the_same_bytes_are_one_image(server: httpx.Client, blobs: BlobStore) -> None:
    assert upload(server, picture(1)).json()["created"] == 1
    again = upload(server, picture(1), picture(1))
    assert again.status_code == 201
    assert [item["status"] for item in again.json()["items"]] == ["skipped", "skipped"]
    assert len(list(blobs.digests())) == 1
    assert server.get("/gallery").json()["total"] == 1


def test_a_conflict_is_what_the_caller_wants_it_to_be(
    server: httpx.Client, blobs: BlobStore
) -> None:
    upload(server, picture(1), ids=["a"])
    refused = upload(server, picture(2), ids=["a"], on_conflict="error")
    assert refused.status_code == 409
    assert refused.json()["code"] == "image_conflict"
    skipped = upload(server, picture(2), ids=["a"], on_conflict="skip")
    assert skipped.json()["skipped"] == 1
    assert server.get("/gallery/a/image").content == picture(1)
    replaced = upload(server, picture(2), ids=["a"], on_conflict="replace")
    assert (replaced.status_code, replaced.json()["replaced"]) == (201, 1)
    assert server.get("/gallery/a/image").content == picture(2)
    best = server.post("/search", files={"image": picture(2)}).json()["results"][0]
    assert best["distance"] < 0.01
    assert len(list(blobs.digests())) == 1, "the replaced bytes are gone"


def test_a_mixed_upload_says_what_became_of_each_file(server: httpx.Client) -> None:
    answer = upload(server, picture(1), b"no image", picture(2, "JPEG")[:500], picture(3))
    assert answer.status_code == 207
    statuses = [(i["status"], (i["error"] or {}).get("status")) for i in answer.json()["items"]]
    assert statuses == [("created", None), ("failed", 415), ("failed", 400), ("created", None)]
    assert server.get("/gallery").json()["total"] == 2


def test_an_upload_of_which_nothing_is_stored_is_a_problem(server: httpx.Client) -> None:
    answer = upload(server, b"no image", b"")
    assert answer.status_code == 415
    body = answer.json()
    assert body["code"] == "image_type_unsupported"
    assert [item["error"]["code"] for item in body["items"]] == [
        "image_type_unsupported",
        "image_undecodable",
    ]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"ids": "not json"}, "ids"),
        ({"ids": ["a", "b"]}, "ids"),
        ({"ids": ["a/b"]}, "ids"),
        ({"ids": [""]}, "ids"),
        ({"ids": [7]}, "ids"),
        ({"ids": ["\x00"]}, "ids"),
        ({"ids": '["\\ud800"]'}, "ids"),
        ({"ids": ["x" * 201]}, "ids"),
        ({"labels": {"a": 1}}, "labels"),
        ({"metadata": ["text"]}, "metadata"),
        ({"metadata": '[{"a": NaN}]'}, "metadata"),
        ({"metadata": [{"a": "x" * 20_000}]}, "metadata"),
        ({"on_conflict": "shout"}, "on_conflict"),
        ({"lables": ["typo"]}, "lables"),
    ],
)
def test_a_bad_field_is_named(server: httpx.Client, fields: dict, name: str) -> None:
    answer = upload(server, picture(1), **fields)
    assert answer.status_code == 422
    body = answer.json()
    assert body["code"] == "parameter_invalid"
    assert body["detail"].startswith(name)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["request_id"] == answer.headers["x-request-id"]
    assert server.get("/gallery").json()["total"] == 0


def test_too_many_files_are_refused(settings: Settings) -> None:
    few = settings.model_copy(update={"max_images_per_request": 2})
    with in_thread(few) as server:
        answer = upload(server, picture(1), picture(2), picture(3))
        assert answer.status_code == 422
        assert "at most 2" in answer.json()["detail"]


def test_a_filename_is_for_show_only(server: httpx.Client) -> None:
    name = "../../etc/passwd" + "x" * 1000
    answer = server.post("/gallery", files=[("images", (name, picture(1)))])
    assert answer.status_code == 201
    shown = server.get("/gallery").json()["images"][0]["filename"]
    assert shown.startswith("passwd")
    assert len(shown) == 255
    huge = server.post("/gallery", files=[("images", ("x" * 10_000, picture(2)))])
    assert (huge.status_code, huge.json()["code"]) == (400, "request_malformed")
