"""What is sent, sent again and refused, against stubs that fail or talk nonsense."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from gemello import ApiError, Client, Unreachable
from tests.support.images import picture
from tests.support.serving import free_port

Answer = tuple[int, dict[str, str], bytes]
OK: Answer = (200, {}, b'{"items": []}')


@contextmanager
def stub(*answers: Answer) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers in turn, the last one for ever; and the bodies it got."""
    bodies: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            bodies.append(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            status, headers, body = answers[min(len(bodies), len(answers)) - 1]
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def busy(status: int = 429, after: str | None = "0") -> Answer:
    headers = {} if after is None else {"Retry-After": after}
    return status, headers, json.dumps({"code": "overloaded", "detail": "Busy."}).encode()


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again_with_the_whole_body(status: int, photos: Path) -> None:
    with stub(busy(status), busy(status), OK) as (url, bodies), Client(url) as client:
        client.add([photos / "top.png"])
    assert len(bodies) == 3
    assert [len(body) for body in bodies[:3]] == [len(bodies[0])] * 3
    assert picture(0) in bodies[2]


@pytest.mark.parametrize(("after", "seconds"), [("7", 7.0), ("0", 0.0), (None, 1.0), ("soon", 1.0)])
def test_it_waits_as_long_as_the_service_says(
    after: str | None, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("gemello.client.connection.time.sleep", waited.append)
    with stub(busy(after=after), OK) as (url, bodies), Client(url) as client:
        client.remove("a")
    assert waited == [seconds]
    assert len(bodies) == 2


def test_it_gives_up_after_its_retries() -> None:
    with stub(busy()) as (url, bodies), Client(url, retries=2) as client:
        with pytest.raises(ApiError, match="Busy") as caught:
            client.get("a")
        assert caught.value.status == 429
    assert len(bodies) == 3


def test_health_and_other_failures_are_not_asked_again() -> None:
    with stub(busy(503)) as (url, bodies), Client(url) as client:
        with pytest.raises(ApiError) as caught:
            client.health()
        assert caught.value.status == 503
    assert len(bodies) == 1
    failure: tuple[int, dict[str, str], bytes] = (500, {}, b"<html>broken</html>")
    with stub(failure) as (url, bodies), Client(url) as client:
        with pytest.raises(ApiError, match="the service answered 500") as caught:
            client.get("a")
        assert caught.value.code == "unknown"
    assert len(bodies) == 1


@pytest.mark.parametrize("body", [b"<html>a page</html>", b"[1, 2]", b"", b"\xff\xfe\xfd"])
def test_another_programs_answer_is_not_taken_for_ours(body: bytes) -> None:
    with (
        stub((200, {}, body)) as (url, _),
        Client(url) as client,
        pytest.raises(
            Unreachable,
            match=f"^{url} answers, but not as Gemello does: the answer is .*, not an object",
        ),
    ):
        client.health()


def test_nobody_there_is_one_sentence() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with Client(url) as client, pytest.raises(Unreachable, match=f"No Gemello answers at {url}: "):
        client.health()


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1", "http://[::1", "http://a b:x"])
def test_an_impossible_address_is_one_sentence(url: str) -> None:
    with pytest.raises(Unreachable, match="No Gemello answers at"), Client(url) as client:
        client.health()


def test_the_key_is_sent() -> None:
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers["X-API-Key"])
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    for key in ("secret", None):
        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.handle_request)
            thread.start()
            url = f"http://127.0.0.1:{server.server_port}"
            with Client(url, key=key) as client, suppress(Unreachable):
                client.health()
            thread.join()
    assert seen == ["secret", None]
