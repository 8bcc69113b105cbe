"""Fetching from the web: nothing of this machine or its network is ever reached."""

import ipaddress
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpcore
import pytest

from app.errors import AddressRefused, FetchFailed
from app.jobs.imports.addresses import Address, is_public
from app.jobs.imports.fetch import Fetcher, shown
from tests.support.images import picture


class Web(BaseHTTPRequestHandler):
    """A small web: a picture, redirects, errors, and bodies that never end."""

    protocol_version = "HTTP/1.1"
    seen: list[str]

    def do_GET(self) -> None:
        self.server.seen.append(self.path)  # type: ignore[attr-defined]
        if self.path == "/picture.png":
            self._answer(200, picture(1))
        elif self.path == "/hop":
            self._redirect("/picture.png")
        elif self.path == "/loop":
            self._redirect("/loop")
        elif self.path.startswith("/to?"):
            self._redirect(self.path.partition("?")[2])
        elif self.path == "/slow":
            self.send_response(200)
            self.send_header("Content-Length", "1000000")
            self.end_headers()
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        elif self.path == "/drip":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            for _ in range(100):
                self.wfile.write(b"x")
                self.wfile.flush()
                time.sleep(0.05)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            while True:
                self.wfile.write(b"x" * 10_000)
        else:
            self._answer(404, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _redirect(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True


@pytest.fixture
def web() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    server.daemon_threads = True
    server.seen = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def address(web: ThreadingHTTPServer, host: str = "127.0.0.1") -> str:
    return f"http://{host}:{web.server_port}"


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    """One to which 127.0.0.1, where the test's web lies, is the open internet; all else is as is."""
    made = Fetcher(max_bytes=50_000, timeout_s=1, allowed=loopback_too)
    yield made
    made.close()


def loopback_too(found: Address) -> bool:
    return found == ipaddress.ip_address("127.0.0.1") or is_public(found)


@pytest.mark.parametrize("path", ["/picture.png", "/hop", "/to?picture.png"])
def test_a_picture_is_fetched_redirects_included(
    web: ThreadingHTTPServer, fetcher: Fetcher, path: str
) -> None:
    assert fetcher.fetch(address(web) + path) == picture(1)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/none", "answered 404"),
        ("/loop", "redirects more than 3"),
        ("/slow", "longer than 1 s"),
        ("/drip", "longer than 1 s"),
    ],
)
def test_what_cannot_be_fetched_is_said(
    web: ThreadingHTTPServer, fetcher: Fetcher, path: str, reason: str
) -> None:
    started = time.monotonic()
    with pytest.raises(FetchFailed, match=reason):
        fetcher.fetch(address(web) + path)
    assert time.monotonic() - started < 5


def test_hardening_31_a_fetch_of_dripping_headers_ends_when_nobody_wants_it(
    web: ThreadingHTTPServer,
) -> None:
    class Unwanted(Exception):
        pass

    started = time.monotonic()

    def check() -> None:
        if time.monotonic() > started + 0.3:
            raise Unwanted

    fetcher = Fetcher(max_bytes=1000, timeout_s=60, allowed=loopback_too, check=check)
    with pytest.raises(Unwanted):
        fetcher.fetch(address(web) + "/drip")
    fetcher.close()
    assert time.monotonic() - started < 3


def test_a_name_that_is_looked_up_for_ever_takes_no_longer_than_the_fetch_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answered = threading.Event()

    def silent(*_: Any, **__: Any) -> list[Any]:
        answered.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    fetcher = Fetcher(max_bytes=1000, timeout_s=0.3)
    with pytest.raises(FetchFailed, match=r"longer than 0\.3 s"):
        fetcher.fetch("http://slow.example/a.png")
    fetcher.close()
    answered.set()


def test_no_more_than_the_limit_is_read(web: ThreadingHTTPServer, fetcher: Fetcher) -> None:
    assert len(fetcher.fetch(address(web) + "/endless")) == 50_001


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0", "127.1", "2130706433", "[::ffff:127.0.0.1]"],
)
def test_this_machine_is_never_reached(web: ThreadingHTTPServer, host: str) -> None:
    fetcher = Fetcher(max_bytes=1000, timeout_s=1)
    with pytest.raises((AddressRefused, FetchFailed)):
        fetcher.fetch(address(web, host) + "/picture.png")
    fetcher.close()
    assert web.seen == []  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "target", ["http://127.0.0.2/x", "http://169.254.169.254/latest", "//10.0.0.1/"]
)
def test_a_redirect_to_a_private_address_is_refused(
    web: ThreadingHTTPServer, fetcher: Fetcher, target: str
) -> None:
    with pytest.raises(AddressRefused, match="not on the open internet"):
        fetcher.fetch(f"{address(web)}/to?{target}")


@pytest.mark.parametrize("target", ["http://[", "http://[::1", "//[bad]/x", "http://a]/"])
def test_a_redirect_to_no_address_is_said(
    web: ThreadingHTTPServer, fetcher: Fetcher, target: str
) -> None:
    with pytest.raises(FetchFailed, match="not an address"):
        fetcher.fetch(f"{address(web)}/to?{target}")


def test_the_address_that_was_checked_is_the_one_that_is_reached(
    web: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that leads to the internet when checked and home when connected to gains nothing."""
    answers = iter(["93.184.216.34", "127.0.0.1", "127.0.0.1"])

    def rebinding(host: str, port: int, **_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (next(answers), port))]

    reached: list[str] = []

    def connect(self: object, host: str, *_: Any) -> Any:
        reached.append(host)
        raise httpcore.ConnectError("no network here")

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", connect)
    fetcher = Fetcher(max_bytes=1000, timeout_s=1)
    with pytest.raises(FetchFailed):
        fetcher.fetch(f"http://rebinding.example:{web.server_port}/picture.png")
    fetcher.close()
    assert reached == ["93.184.216.34"]


def test_one_private_address_among_several_is_enough_to_refuse(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def both(host: str, port: int, **_: Any) -> list[Any]:
        return [(2, 1, 6, "", (found, port)) for found in ("93.184.216.34", "192.168.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", both)
    fetcher = Fetcher(max_bytes=1000, timeout_s=1)
    with pytest.raises(AddressRefused, match="not on the open internet"):
        fetcher.fetch("http://both.example/x")
    fetcher.close()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///etc/passwd", "only http and https"),
        ("ftp://example.com/x", "only http and https"),
        ("/etc/passwd", "only http and https"),
        ("http://", "only http and https"),
        ("http://user:secret@example.com/", "user or a password"),
        ("http://example.com:99999/", "not a valid address"),
        ("http://exa mple.com/", "not a valid address"),
        ("http://example.com/\r\nHost: x", "not a valid address"),
        ("http://[::1", "not a valid address"),
    ],
)
def test_what_is_no_address_of_the_web_is_refused(fetcher: Fetcher, url: str, reason: str) -> None:
    with pytest.raises(AddressRefused, match=reason):
        fetcher.fetch(url)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://a.example/p/q.png?token=secret#part", "https://a.example/p/q.png"),
        ("https://user:secret@a.example:81/", "https://a.example:81/"),
        ("http://[::1?secret", "http://[::1"),
        ("http://a.example/x", "http://a.example/x"),
    ],
)
def test_hardening_what_is_told_of_an_address_holds_no_token(
    fetcher: Fetcher, url: str, told: str
) -> None:
    assert shown(url) == told
    with pytest.raises((AddressRefused, FetchFailed)) as caught:
        fetcher.fetch(url)
    assert "secret" not in str(caught.value)
