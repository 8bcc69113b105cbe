"""/gallery/{id}/image and /thumbnail over a real port."""

import httpx
import pytest

from app.errors import Overloaded
from app.inference.decode_pool import DecodePool
from tests.support.images import picture


def test_an_image_is_given_back_as_it_came(server: httpx.Client) -> None:
    server.post("/gallery", files={"images": picture(1, "JPEG")}, data={"ids": '["späte tür?"]'})
    url = server.get("/gallery").json()["images"][0]["image_url"]
    answer = server.get(url)
    assert answer.content == picture(1, "JPEG")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    unchanged = server.get(url, headers={"If-None-Match": answer.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    small = server.get(url.replace("/image", "/thumbnail"), params={"size": 32})
    assert small.headers["content-type"] == "image/webp"
    assert len(small.content) < len(answer.content)
    assert server.get("/gallery/none/image").status_code == 404


def test_thumbnails_of_a_gallery_take_a_place_in_the_decode_pool(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = server.post("/gallery", files={"images": picture(1)})
    url = f"/gallery/{answer.json()['items'][0]['id']}/thumbnail"

    def full(*_: object) -> None:
        raise Overloaded()

    monkeypatch.setattr(DecodePool, "_submit", full)
    assert server.get(url).status_code == 429
