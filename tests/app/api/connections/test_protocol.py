"""One connection, on a real server: its deadlines, and what is answered to what is no HTTP."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import numpy as np
import pytest
from PIL import Image

from app.api.connections import protocol
from app.api.connections import server as server_module
from app.api.headers import CONTENT_SECURITY_POLICY
from app.config import Settings
from app.gallery.query import Options, Query, SearchPage
from app.gallery.search import Searcher
from tests.support.images import encode, picture
from tests.support.raw import answer_of, connection, problem_in, status_line
from tests.support.serving import in_thread

Send = Callable[[socket.socket], None]
BODY = (
    b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)


@pytest.fixture
def hurried(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A server that waits for nobody."""
    for name in ("HEADERS_S", "IDLE_S", "READING_S"):
        monkeypatch.setattr(protocol, name, 1.0)
    with in_thread(settings) as client:
        yield client


@pytest.fixture(scope="module")
def large() -> bytes:
    """A picture that fits into no buffer of the system."""
    noise = np.random.default_rng(0).integers(0, 256, (2400, 2400, 3), np.uint8)
    return encode(Image.fromarray(noise), compress_level=0)


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()


def stored(client: httpx.Client, data: bytes) -> str:
    """Store a picture; the path of its bytes."""
    assert client.post("/gallery", files={"images": data}).status_code == 201
    url: str = client.get("/gallery").json()["images"][0]["image_url"]
    return url


@pytest.mark.parametrize(
    ("sent", "status", "code"),
    [
        (b"nonsense\r\n\r\n", 400, "request_malformed"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60), 400, "request_malformed"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "request_malformed"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "request_malformed"),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX y: z\r\n\r\n", 400, "request_malformed"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 70_000, 431, "headers_too_large"),
        (BODY.replace(b"100000", b"-1"), 400, "request_malformed"),
        (BODY.replace(b"100000", b"abc"), 400, "request_malformed"),
        (BODY.replace(b"100000", b"5\r\nContent-Length: 6"), 400, "request_malformed"),
        (BODY.replace(b"100000", b"5\r\nContent-Length: 5"), 400, "request_malformed"),
        (BODY.replace(b"100000", b"5\r\nTransfer-Encoding: chunked"), 400, "request_malformed"),
        (BODY.replace(b"100000", b"5\r\nX: y\r\n z"), 400, "request_malformed"),
        (
            BODY.replace(b"Content-Length: 100000", b"Transfer-Encoding: x"),
            400,
            "request_malformed",
        ),
    ],
)
def test_what_is_no_http_is_a_problem(
    server: httpx.Client, sent: bytes, status: int, code: str
) -> None:
    with connection(server) as raw:
        raw.sendall(sent)
        answered, data = answer_of(raw)
    problem = problem_in(data)
    assert (answered, problem["status"], problem["code"]) == (status, status, code)
    assert problem["detail"].endswith(".")
    head = data.split(b"\r\n\r\n")[0].decode().lower()
    assert f"x-request-id: {problem['request_id']}" in head
    assert f"content-security-policy: {CONTENT_SECURITY_POLICY}" in head
    assert "connection: close" in head
    assert server.post("/search", files={"image": picture(1)}).status_code == 200


@pytest.mark.parametrize("method", [b"POST", b"HEAD"])
def test_a_body_that_breaks_off_its_chunks_is_a_bad_request(
    server: httpx.Client, method: bytes
) -> None:
    start = BODY.replace(b"Content-Length: 100000", b"Transfer-Encoding: chunked")
    with connection(server) as raw:
        raw.sendall(start.replace(b"POST", method).replace(b"--b\r\n", b"5\r\n--b\r\n\r\nzz\r\n"))
        assert answer_of(raw)[0] in (400, 405)
    assert server.post("/search", files={"image": picture(1)}).status_code == 200


def test_silence_is_ended_without_a_word(hurried: httpx.Client) -> None:
    with connection(hurried) as silent, connection(hurried) as served:
        served.sendall(get("/health/live"))
        assert status_line(served) == 200
        assert silent.recv(100) == b""
        assert b"HTTP" not in served.recv(65536)


@pytest.mark.parametrize("drips", [False, True])
def test_headers_that_do_not_come_to_an_end_are_answered(
    hurried: httpx.Client, drips: bool
) -> None:
    stop = threading.Event()

    def drip(raw: socket.socket) -> None:
        while not stop.wait(0.1):
            raw.send(b"x")

    with connection(hurried) as raw, ThreadPoolExecutor(1) as dripper:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        if drips:
            dripper.submit(drip, raw)
        start = time.monotonic()
        try:
            assert status_line(raw) == 408
        finally:
            stop.set()
        assert time.monotonic() - start < 10


def test_who_reads_nothing_is_ended_and_who_reads_slowly_is_not(
    hurried: httpx.Client, large: bytes
) -> None:
    url = stored(hurried, large)
    with connection(hurried) as idle, connection(hurried) as slow:
        for raw in (idle, slow):
            raw.sendall(get(url))
        taken, pause = 0, threading.Event()
        while taken < len(large):
            taken += len(slow.recv(1_000_000))
            pause.wait(0.2)
        with pytest.raises(ConnectionResetError):
            while idle.recv(65536):
                pass


def test_newcomers_find_a_place_among_the_silent(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "connections_for", lambda _: 8)
    with in_thread(settings) as client, ExitStack() as stack:
        silent = [stack.enter_context(connection(client)) for _ in range(50)]
        # One at a time, each on a connection of its own.
        for seed in range(20):
            with httpx.Client(base_url=client.base_url) as newcomer:
                answer = newcomer.post("/search", files={"image": picture(seed)})
                assert answer.status_code == 200
        assert silent[0].recv(100) == b""


@pytest.fixture
def held_search(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Semaphore, threading.Event]:
    """Searches that stand still: one is counted as it begins, and all go on when told to."""
    inside, released = threading.Semaphore(0), threading.Event()
    search = Searcher.search

    def held(searcher: Searcher, query: Query, options: Options) -> SearchPage:
        inside.release()
        assert released.wait(20)
        return search(searcher, query, options)

    monkeypatch.setattr(Searcher, "search", held)
    return inside, released


def test_where_every_place_is_taken_by_work_a_newcomer_is_told_so(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    held_search: tuple[threading.Semaphore, threading.Event],
) -> None:
    inside, released = held_search
    monkeypatch.setattr(server_module, "connections_for", lambda _: 4)
    with in_thread(settings) as client, ThreadPoolExecutor(3) as callers:
        url = str(client.base_url)
        running = [
            callers.submit(httpx.post, f"{url}/search", files={"image": picture(1)}, timeout=30)
            for _ in range(3)
        ]
        for _ in running:
            assert inside.acquire(timeout=10)
        with connection(client) as raw:
            status, data = answer_of(raw)
        assert (status, problem_in(data)["code"]) == (503, "too_many_connections")
        assert b"retry-after: 1" in data.lower()
        released.set()
        assert {each.result().status_code for each in running} == {200}


def test_a_stop_waits_for_what_was_accepted_and_for_nothing_else(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    held_search: tuple[threading.Semaphore, threading.Event],
    large: bytes,
) -> None:
    inside, released = held_search
    monkeypatch.setattr(protocol, "STOPPING_S", 1.0)
    with ExitStack() as stack:
        with in_thread(settings) as client:
            url = stored(client, large)
            body, headers, reader = (stack.enter_context(connection(client)) for _ in range(3))
            body.sendall(BODY)
            headers.sendall(b"GET / HTTP/1.1\r\nX: ")
            reader.sendall(get(url))
            assert status_line(reader) == 200
            caller = stack.enter_context(ThreadPoolExecutor(1))
            accepted = caller.submit(
                httpx.post, f"{client.base_url}/search", files={"image": picture(1)}, timeout=30
            )
            assert inside.acquire(timeout=10)
            stopping = time.monotonic()
            threading.Timer(1, released.set).start()
        assert accepted.result().status_code == 200
        assert time.monotonic() - stopping < 15
        assert status_line(body) == 503
        assert status_line(headers) == 503
