"""What holds before a body is read, and while it is: sizes, deadlines and the number at once."""

import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial

import httpx
import numpy as np
import pytest
from PIL import Image

from app.config import Settings
from app.gallery.query import Options, Query, SearchPage
from app.gallery.search import Searcher
from tests.support.images import encode, picture
from tests.support.raw import answer_of, connection, status_line
from tests.support.serving import in_thread


def changed(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def head(path: str, length: int | str, **headers: str) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        "Content-Type: multipart/form-data; boundary=b",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def test_a_wrong_key_is_refused_before_the_body_is_read(guarded: httpx.Client) -> None:
    with connection(guarded) as raw:
        raw.sendall(head("/gallery", 20_000_000, X_API_Key="wrong"))
        start = time.perf_counter()
        assert status_line(raw) == 401
        assert time.perf_counter() - start < 5, "not a byte of the body was sent"


def test_a_caller_who_sends_it_all_sees_the_refusal_too(guarded: httpx.Client) -> None:
    answer = guarded.post(
        "/gallery", files={"images": bytes(20_000_000)}, headers={"X-API-Key": "wrong"}
    )
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
    assert answer.headers["connection"] == "close"
    assert guarded.get("/health").status_code == 200


def test_a_length_over_the_limit_is_refused_before_the_body_is_read(settings: Settings) -> None:
    with in_thread(changed(settings, max_request_bytes=100_000)) as server:
        for length in (100_001, 10_000_000_000, 10**19):
            with connection(server) as raw:
                raw.sendall(head("/search", length))
                start = time.perf_counter()
                assert status_line(raw) == 413
                assert time.perf_counter() - start < 5
        assert server.post("/search", files={"image": picture(1)}).status_code == 200


def test_a_slow_body_is_answered_at_the_deadline(settings: Settings) -> None:
    with in_thread(changed(settings, request_timeout_s=0.5)) as server:
        start = time.perf_counter()
        with connection(server) as raw:
            raw.sendall(head("/search", 1000) + b"--b\r\n")
            # A byte now and then must not put the deadline off.
            dripping = threading.Event()
            dripper = threading.Thread(target=drip, args=(raw, dripping))
            dripper.start()
            try:
                assert status_line(raw) == 408
                assert 0.4 < time.perf_counter() - start < 5
            finally:
                dripping.set()
                dripper.join()
        assert server.post("/search", files={"image": picture(1)}).status_code == 200


def drip(raw: socket.socket, stop: threading.Event) -> None:
    while not stop.wait(0.1):
        raw.sendall(b"x")


def test_a_slow_body_without_a_length_is_answered_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.refusals._LINGER_S", 0.1)
    with in_thread(changed(settings, request_timeout_s=0.3)) as server, connection(server) as raw:
        request = head("/search", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
        raw.sendall(request + b"5\r\n--b\r\n\r\n")
        status, data = answer_of(raw)
        assert status == 408
        assert b"request_timeout" in data


def test_a_caller_who_leaves_mid_upload_harms_nobody(settings: Settings) -> None:
    with in_thread(changed(settings, max_concurrent_requests=4)) as server:
        for _ in range(20):
            with connection(server) as raw:
                raw.sendall(head("/gallery", 1_000_000) + b"--b\r\n" + bytes(1000))
        deadline = time.monotonic() + 5
        while (status := server.post("/search", files={"image": picture(1)}).status_code) == 429:
            assert time.monotonic() < deadline, "a slot is never given back"
        assert status == 200


def test_more_requests_than_places_are_told_to_come_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside, released = threading.Semaphore(0), threading.Event()
    search = Searcher.search

    def held(searcher: Searcher, query: Query, options: Options) -> SearchPage:
        inside.release()
        assert released.wait(10)
        return search(searcher, query, options)

    monkeypatch.setattr(Searcher, "search", held)
    with (
        in_thread(changed(settings, max_concurrent_requests=2)) as server,
        ThreadPoolExecutor(2) as callers,
    ):
        ask = partial(server.post, "/search", files={"image": picture(1)})
        # A body that nobody reads must not open a way around the limit.
        similar = partial(server.request, "GET", "/gallery/none/similar", content=b"unread")
        running = [callers.submit(call) for call in (ask, similar)]
        for _ in running:
            assert inside.acquire(timeout=10)
        for answer in (server.get("/gallery"), ask()):
            assert answer.status_code == 429
            assert answer.json()["code"] == "overloaded"
            assert int(answer.headers["retry-after"]) >= 1
        for path in ("/health", "/health/live", "/metrics"):
            assert server.get(path).status_code == 200
        released.set()
        assert [each.result().status_code for each in running] == [200, 404]
        assert server.get("/gallery").status_code == 200


def test_bodies_that_arrive_slowly_take_no_places(settings: Settings) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(in_thread(changed(settings, max_concurrent_requests=2)))
        for _ in range(90):
            raw = stack.enter_context(connection(server))
            raw.sendall(head("/search", 1000) + b"--b\r\n")
        for _ in range(5):
            assert server.post("/search", files={"image": picture(1)}).status_code == 200


def test_a_large_body_that_stands_still_gives_way_to_others(settings: Settings) -> None:
    small = changed(settings, max_request_bytes=100_000)
    part = b'Content-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'
    with ExitStack() as stack:
        server = stack.enter_context(in_thread(small))
        stalled = []
        for _ in range(6):
            raw = stack.enter_context(connection(server))
            raw.sendall(head("/search", 100_000) + b"--b\r\n" + part + bytes(90_000))
            stalled.append(raw)
        # Four of the largest may stand at once; nobody else is told to wait for them.
        refused, _, _ = select.select(stalled, [], [], 10)
        assert {status_line(raw) for raw in refused} == {429}
        for _ in range(5):
            assert server.post("/search", files={"image": picture(1)}).status_code == 200


def test_a_slow_reader_takes_no_place(settings: Settings) -> None:
    with in_thread(changed(settings, max_concurrent_requests=2)) as server, ExitStack() as stack:
        noise = np.random.default_rng(0).integers(0, 256, (1600, 1600, 3), np.uint8)
        large = encode(Image.fromarray(noise), compress_level=0)
        assert server.post("/gallery", files={"images": large}).status_code == 201
        url = server.get("/gallery").json()["images"][0]["image_url"]
        for _ in range(8):
            raw = stack.enter_context(connection(server))
            raw.sendall(f"GET {url} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert status_line(raw) == 200
        for _ in range(5):
            assert server.post("/search", files={"image": picture(1)}).status_code == 200
