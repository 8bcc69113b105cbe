"""Forms that nobody's browser sends, at a real server: hardening 17, 18, 21 to 24."""

from collections.abc import Callable, Iterator

import httpx
import pytest

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread

LIMIT = 2_000_000
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


@pytest.fixture(scope="module")
def server(make_settings: Callable[[], Settings]) -> Iterator[httpx.Client]:
    with in_thread(make_settings().model_copy(update={"max_request_bytes": LIMIT})) as client:
        yield client


def part(name: str, body: bytes, *, filename: str = "", further: bytes = b"") -> bytes:
    """A part of a form, with ``further`` headers."""
    named = f'name="{name}"' + (f'; filename="{filename}"' if filename else "")
    return (
        f"--x\r\nContent-Disposition: form-data; {named}\r\n".encode() + further + b"\r\n" + body
    ) + b"\r\n"


FORMS = {
    "21: 1,001 files": b"".join(part("images", b"x", filename="a.png") for _ in range(1001)),
    "21: 10,000 fields": b"".join(part(f"f{number}", b"x") for number in range(10_000)),
    "22: a large text field": part("ids", b"x" * (LIMIT // 2)),
    "24: a part with 1 MB of headers": part(
        "images", b"x", filename="a.png", further=b"X-Long: " + b"x" * 1_000_000 + b"\r\n"
    ),
    "24: a part of 10,000 headers": part(
        "images", b"x", filename="a.png", further=b"X-Short: x\r\n" * 10_000
    ),
    "24: a preamble of 1 MB": b"x" * 1_000_000 + b"\r\n" + part("images", b"x", filename="a.png"),
}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_form_without_measure_is_refused(server: httpx.Client, form: str) -> None:
    answer = server.post("/gallery", content=FORMS[form] + b"--x--\r\n", headers=FORM)
    refused(answer, server)


def test_23_a_long_urlencoded_form_is_refused(server: httpx.Client) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    refused(server.post("/search", content=b"a;" * 900_000, headers=headers), server)


@pytest.mark.parametrize("path", ["/gallery", "/search", "/gallery/import"])
def test_18_a_body_of_unknown_length_is_refused_at_the_limit(
    server: httpx.Client, path: str
) -> None:
    def long() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="images"; filename="a.png"\r\n\r\n'
        for _ in range(20 * LIMIT // 65_536):
            yield bytes(65_536)

    refused(server.post(path, content=long(), headers=FORM), server, status=413)


def refused(answer: httpx.Response, server: httpx.Client, status: int | None = None) -> None:
    """A problem that names the request as the culprit, and the next good request is answered."""
    assert answer.status_code == (status or answer.status_code)
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert server.post("/search", files={"image": picture(1)}).status_code == httpx.codes.OK


def test_17_a_picture_that_is_a_page_as_well_is_shown_as_a_picture(server: httpx.Client) -> None:
    both = picture(2, "JPEG", comment=b"<html><script>alert(1)</script></html>") + b"<script>"
    added = server.post("/gallery", files={"images": ("page.html", both, "text/html")})
    image_id = added.raise_for_status().json()["items"][0]["id"]
    answer = server.get(f"/gallery/{image_id}/image")
    assert answer.content == both
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
