"""Dear reads: few at once, ended with their caller or their time, and nobody else waits for them."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import httpx
import pytest
from starlette.requests import Request
from starlette.types import Message

from app.api.dear_reads import DearReads
from app.api.errors import CallerLeft
from app.config import Settings
from app.errors import Overloaded
from app.gallery import search as search_module
from app.gallery.near_duplicates import Check
from tests.support.images import picture
from tests.support.serving import in_thread

PATIENCE_S = 20


class Endless:
    """Stands for the grouping of a large gallery: goes on until it is told to end."""

    def __init__(self) -> None:
        self.began, self.ended = threading.Semaphore(0), threading.Semaphore(0)
        self.finish = threading.Event()

    def __call__(self, *_: object) -> list[list[str]]:
        check: Check = _[-1]  # type: ignore[assignment]
        self.began.release()
        try:
            while not self.finish.wait(0.01):
                check()
        finally:
            self.ended.release()
        return []


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endless]:
    made = Endless()
    monkeypatch.setattr(search_module, "duplicate_groups", made)
    yield made
    made.finish.set()


def test_hardening_fifty_of_the_dearest_read_hold_nothing_up(
    fresh_server: httpx.Client, endless: Endless
) -> None:
    fresh_server.post("/gallery", files={"images": picture(1)})
    limits = httpx.Limits(max_connections=60)
    with (
        httpx.Client(base_url=fresh_server.base_url, timeout=30, limits=limits) as many,
        ThreadPoolExecutor(50) as threads,
    ):
        calls = [threads.submit(many.get, "/duplicates") for _ in range(50)]
        assert endless.began.acquire(timeout=PATIENCE_S)
        deadline = time.monotonic() + PATIENCE_S
        while sum(call.done() for call in calls) < 46:
            assert time.monotonic() < deadline
            assert fresh_server.get("/health").status_code == 200
        assert fresh_server.post("/search", files={"image": picture(1)}).status_code == 200
        refused = [call.result() for call in calls if call.done()]
        assert {(r.status_code, r.json()["code"]) for r in refused} == {(429, "overloaded")}
        assert all("retry-after" in r.headers for r in refused)
        endless.finish.set()
        assert sorted(call.result().status_code for call in calls) == [200] * 4 + [429] * 46


def test_hardening_a_long_read_ends_with_its_caller(
    fresh_server: httpx.Client, endless: Endless
) -> None:
    with ExitStack() as callers:
        for _ in range(4):
            caller = callers.enter_context(httpx.Client(base_url=fresh_server.base_url))
            with pytest.raises(httpx.ReadTimeout):
                caller.get("/duplicates", timeout=0.3)
    assert endless.began.acquire(timeout=PATIENCE_S)
    assert endless.ended.acquire(timeout=PATIENCE_S)
    endless.finish.set()
    deadline = time.monotonic() + PATIENCE_S
    while fresh_server.get("/duplicates").status_code == 429:
        assert time.monotonic() < deadline
    assert fresh_server.get("/duplicates").status_code == 200


def test_a_long_read_ends_when_its_time_is_over(settings: Settings, endless: Endless) -> None:
    with in_thread(settings.model_copy(update={"read_timeout_s": 0.2})) as server:
        answer = server.get("/duplicates")
        assert (answer.status_code, answer.json()["code"]) == (503, "read_too_long")
        assert "GEMELLO_READ_TIMEOUT_S" in answer.json()["detail"]
        assert endless.ended.acquire(timeout=PATIENCE_S)


def test_a_stop_ends_long_reads_that_run_and_those_that_wait() -> None:
    reads, began, done = DearReads(60), threading.Event(), []

    def work(check: Check) -> None:
        began.set()
        while True:
            check()
            time.sleep(0.001)

    def waiting(check: Check) -> None:
        check()
        done.append("it should not have come so far")

    async def never() -> Message:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    async def ask() -> list[BaseException | None]:
        caller = Request({"type": "http"}, never)
        calls = [reads.long(caller, each) for each in (work, waiting)]
        answers = asyncio.gather(*calls, return_exceptions=True)
        await asyncio.to_thread(began.wait)
        reads.end()
        return await answers

    assert [type(answer) for answer in asyncio.run(ask())] == [CallerLeft, CallerLeft]
    assert done == []
    reads.close()


def test_large_answers_have_two_places_and_ordinary_ones_need_none() -> None:
    reads = DearReads(1)
    with reads.large(1000, vectors=True), reads.large(9_000):
        with pytest.raises(Overloaded), reads.large(300, vectors=True):
            pass
        with reads.large(2000), reads.large(200, vectors=True):
            pass
    with reads.large(300, vectors=True), reads.large(1000, vectors=True):
        pass
    reads.close()


def test_hardening_a_batch_answers_a_bounded_number_of_results(server: httpx.Client) -> None:
    files = [("images", (f"{i}.png", picture(i))) for i in range(11)]
    for data in ({"top_k": "1000"}, {"top_k": "100", "include": "embedding"}):
        answer = server.post("/search/batch", files=files, data=data)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
        assert "at most" in answer.json()["detail"]
    ids = json.dumps([str(i) for i in range(11)])
    assert server.post("/gallery", files=files, data={"ids": ids}).status_code == 201
    assert server.post("/search/batch", files=files, data={"top_k": "900"}).status_code == 200
