"""What a gallery may hold: checked on every way in, and never in the way of making room."""

import json

import httpx
import pytest

from app.config import Settings
from app.errors import GalleryFull
from app.gallery.quota import Quota, Usage
from tests.support.images import picture
from tests.support.imports import begin, finished, zipped
from tests.support.serving import in_thread


def test_what_does_not_grow_is_never_refused() -> None:
    quota = Quota(images=2, bytes=100)
    quota.check(Usage(1, 50), Usage(2, 100))
    quota.check(Usage(5, 500), Usage(5, 400))
    with pytest.raises(GalleryFull, match="GEMELLO_MAX_GALLERY_IMAGES"):
        quota.check(Usage(5, 10), Usage(6, 10))
    with pytest.raises(GalleryFull, match="GEMELLO_MAX_GALLERY_BYTES"):
        quota.check(Usage(1, 500), Usage(1, 501))
    Quota().check(Usage(), Usage(10**9, 10**15))
    assert not Quota()


def add(server: httpx.Client, *seeds: int, **fields: str) -> httpx.Response:
    files = [("images", (f"{seed}.png", picture(seed))) for seed in seeds]
    ids = json.dumps([str(seed) for seed in seeds])
    return server.post("/gallery", files=files, data={"ids": ids, **fields})


def test_hardening_a_gallery_takes_no_more_images_than_it_may(settings: Settings) -> None:
    with in_thread(settings.model_copy(update={"max_gallery_images": 3})) as server:
        mixed = add(server, 1, 2, 3, 4, 5)
        assert mixed.status_code == 207
        assert [item["status"] for item in mixed.json()["items"]] == ["created"] * 3 + [
            "failed"
        ] * 2
        refused = add(server, 6)
        assert (refused.status_code, refused.json()["code"]) == (507, "gallery_full")
        assert add(server, 1, on_conflict="replace").json()["replaced"] == 1
        job = finished(server, begin(server, zipped({"a.png": picture(7), "b.png": picture(8)})))
        assert (job["added"], {e["code"] for e in job["errors"]}) == (0, {"gallery_full"})
        assert server.delete("/gallery/1").status_code == 204
        assert add(server, 6).status_code == 201
        assert server.get("/gallery").json()["total"] == 3
    # A setting that was lowered removes nothing.
    with in_thread(settings.model_copy(update={"max_gallery_images": 1})) as server:
        assert server.get("/gallery").json()["total"] == 3
        assert add(server, 9).status_code == 507
        assert server.post("/search", files={"image": picture(2)}).status_code == 200


def test_a_gallery_takes_no_more_bytes_than_it_may(settings: Settings) -> None:
    most = len(picture(1)) + len(picture(2))
    with in_thread(settings.model_copy(update={"max_gallery_bytes": most})) as server:
        assert add(server, 1, 2).status_code == 201
        assert add(server, 3).json()["code"] == "gallery_full"
        removed = server.delete("/gallery", params={"filter": "{}"})
        assert removed.json()["removed"] == 2
        assert add(server, 2).status_code == 201
