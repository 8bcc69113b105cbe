"""Each route bounds its body by what it can use."""

from collections.abc import Iterator

import httpx
import pytest
from starlette.types import Scope

from app.api.body_limits import ADDRESSES, TEXT, body_limit
from app.api.errors import BodyTooLarge, CharsetUnsupported
from app.config import Settings
from tests.support.images import picture

SETTINGS = Settings(max_image_bytes=1_000_000, max_request_bytes=50_000_000)
FORM = "multipart/form-data; boundary=b"


def scope(method: str, path: str, **headers: str) -> Scope:
    raw = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    return {"type": "http", "method": method, "path": path, "headers": raw}


@pytest.mark.parametrize(
    ("method", "path", "content_type", "limit"),
    [
        ("POST", "/search", FORM, 4_000_000 + TEXT),
        ("POST", "/compare", FORM, 2_000_000 + TEXT),
        ("POST", "/embed", FORM, 50_000_000),
        ("POST", "/search/batch", FORM, 50_000_000),
        ("POST", "/gallery", FORM, 50_000_000),
        ("POST", "/gallery/import", FORM, 50_000_000),
        ("POST", "/gallery/import", "application/x-www-form-urlencoded", ADDRESSES),
        ("POST", "/search", "application/x-www-form-urlencoded", TEXT),
        ("POST", "/models/a/1/adapt", FORM, TEXT),
        ("POST", "/none", FORM, TEXT),
        ("PATCH", "/gallery/a", "application/json", TEXT),
        ("PATCH", "/gallery/a", FORM, TEXT),
    ],
)
def test_a_route_takes_what_it_can_use(
    method: str, path: str, content_type: str, limit: int
) -> None:
    assert body_limit(scope(method, path, content_type=content_type), SETTINGS) == limit
    announced = scope(method, path, content_type=content_type, content_length=str(limit + 1))
    with pytest.raises(BodyTooLarge, match=f"larger than {limit:,} bytes"):
        body_limit(announced, SETTINGS)


@pytest.mark.parametrize("charset", ["utf-8", "UTF-8", "utf8"])
def test_text_is_utf_8(charset: str) -> None:
    assert body_limit(scope("POST", "/search", content_type=f"{FORM}; charset={charset}"), SETTINGS)


@pytest.mark.parametrize("charset", ["unicode_escape", "latin-1", "utf-16", "utf-7", "none"])
def test_hardening_27_other_charsets_are_refused(charset: str) -> None:
    with pytest.raises(CharsetUnsupported, match="send UTF-8"):
        body_limit(scope("POST", "/search", content_type=f"{FORM}; charset={charset}"), SETTINGS)


def test_hardening_27_an_escape_of_half_a_character_is_no_id(server: httpx.Client) -> None:
    part = b'--b\r\nContent-Disposition: form-data; name="id"\r\n\r\n\\ud800\r\n--b--\r\n'
    kind = f"{FORM}; charset=unicode_escape"
    answer = server.post("/search", content=part, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["code"]) == (415, "charset_unsupported")
    plain = server.post("/search", content=part, headers={"Content-Type": FORM})
    assert (plain.status_code, plain.json()["code"]) == (404, "image_not_found")


def test_hardening_patch_of_58_mb_of_json_is_not_parsed(server: httpx.Client) -> None:
    def body() -> Iterator[bytes]:
        yield b'{"metadata": {"a": ['
        for _ in range(58):
            yield b'{"b": 1},' * 111_111
        yield b"{}]}}"

    kind = {"Content-Type": "application/json"}
    answer = server.patch("/gallery/a", content=body(), headers=kind)
    assert (answer.status_code, answer.json()["code"]) == (413, "request_too_large")
    escaped = {"metadata": {"a": "ü" * 8000}}
    allowed = server.patch("/gallery/a", json=escaped)
    assert allowed.json()["code"] == "image_not_found"


@pytest.mark.parametrize("path", ["/search", "/embed", "/compare", "/search/batch", "/gallery"])
def test_hardening_many_large_text_fields_are_refused(server: httpx.Client, path: str) -> None:
    files = [("images", ("a.png", picture(1)))]
    answer = server.post(path, data={"id": ["x" * 1_000_000] * 190}, files=files)
    assert answer.status_code in (400, 413)
    assert answer.json()["code"] in ("request_malformed", "request_too_large")


@pytest.mark.parametrize(
    ("path", "field", "most"),
    [
        ("/search", "image", 20),
        ("/compare", "images", 4),
        ("/gallery/import", "archive", 2),
        ("/embed", "images", 110),
        ("/search/batch", "images", 110),
        ("/gallery", "images", 110),
    ],
)
def test_hardening_no_route_takes_more_files_than_it_can_use(
    server: httpx.Client, path: str, field: str, most: int
) -> None:
    """Files of less than 1 MB stay in memory, and 189 of larger ones held 189 descriptors."""
    for count in (most, most + 1):
        answer = server.post(path, files=[(field, ("a.png", b"x"))] * count)
        too_many = f"Maximum number of files is {most}"
        assert 400 <= answer.status_code < 500
        assert (too_many in answer.json()["detail"]) == (count > most)
