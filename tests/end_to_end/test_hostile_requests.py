"""Hostile requests against a server in a process of its own: what they cost in memory, and who waits.

Each prints its figures (``pytest -s``).
"""

import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.images import encode, photo, picture
from tests.support.imports import begin, finished, zipped
from tests.support.serving import in_process

pytestmark = pytest.mark.slow

MB = 1_000_000
JSON = {"Content-Type": "application/json"}


class Served:
    """A server with one image in it, and the memory that it holds."""

    def __init__(self, pid: int, url: str) -> None:
        self._folder, self.url = Path(f"/proc/{pid}"), url
        self.client = httpx.Client(
            base_url=url, timeout=120, limits=httpx.Limits(max_connections=100)
        )

    def _memory(self, field: str) -> int:
        for line in (self._folder / "status").read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
        raise ValueError(field)

    def cost(self, call: Callable[[], object], at_once: int = 1) -> float:
        """The most memory, in MB, that ``call`` takes beyond what was held before."""
        before = self._memory("VmRSS")
        (self._folder / "clear_refs").write_text("5")
        with ThreadPoolExecutor(at_once) as threads:
            for future in [threads.submit(call) for _ in range(at_once)]:
                future.result()
        return (self._memory("VmHWM") - before) / MB


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, tiny_store: Path) -> Iterator[Served]:
    environment = {
        "GEMELLO_DATA_DIR": str(tmp_path_factory.mktemp("hostile") / "data"),
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
    }
    with in_process(environment) as (process, url):
        made = Served(process.pid, url)
        made.client.post("/gallery", files={"images": picture(1)}, data={"ids": '["a"]'})
        for seed in range(5):
            made.client.post("/search", files={"image": picture(seed)})
        yield made
        made.client.close()


def _chunked(client: httpx.Client, request: httpx.Request) -> httpx.Response:
    """Send a request without saying how long its body is."""
    body = request.read()
    chunks = (body[i : i + 65_536] for i in range(0, len(body), 65_536))
    kind = {"Content-Type": request.headers["content-type"]}
    return client.request(request.method, request.url, content=chunks, headers=kind)


def _patch(client: httpx.Client) -> httpx.Response:
    body = b'{"metadata": {"a": [' + b'{"b": 1},' * 6_000_000 + b"{}]}}"
    return _chunked(client, client.build_request("PATCH", "/gallery/a", content=body, headers=JSON))


def _fields(client: httpx.Client) -> httpx.Response:
    data, files = {"id": ["x" * MB] * 190}, {"image": picture(1)}
    return _chunked(client, client.build_request("POST", "/search", data=data, files=files))


def _junk(path: str) -> Callable[[httpx.Client], httpx.Response]:
    def send(client: httpx.Client) -> httpx.Response:
        junk = bytes(19 * MB)
        return client.post(path, files=[("images", (f"{i}.png", junk)) for i in range(10)])

    return send


@pytest.mark.parametrize(
    ("send", "status"),
    [(_patch, 413), (_fields, 400), (_junk("/embed"), 415), (_junk("/search/batch"), 415)],
    ids=["patch of 58 MB", "190 fields of 1 MB", "190 MB to /embed", "190 MB to /search/batch"],
)
def test_hardening_a_large_body_costs_little_memory(
    served: Served, send: Callable[[httpx.Client], httpx.Response], status: int
) -> None:
    def call() -> None:
        with httpx.Client(base_url=served.url, timeout=120) as client:
            assert send(client).status_code == status

    alone, four = served.cost(call), served.cost(call, at_once=4)
    print(f"{alone:.0f} MB alone, {four:.0f} MB for four at once")  # noqa: T201
    assert alone < 100
    assert four < 400
    assert served.client.post("/search", files={"image": picture(1)}).status_code == 200


def test_hardening_small_archives_cost_little_memory(served: Served) -> None:
    bombs = zipped({f"{i}.png": bytes(100 * MB) for i in range(3)}, zipfile.ZIP_BZIP2)
    cost = served.cost(lambda: finished(served.client, begin(served.client, bombs)))
    print(f"{len(bombs):,} bytes of zip: {cost:.0f} MB")  # noqa: T201
    assert cost < 100


@pytest.fixture(scope="module")
def alike(served: Served) -> int:
    """Two thousand images that are nearly the same; returns how many there are."""
    noise = np.random.default_rng(0)
    base = np.asarray(photo(1), np.int16)
    for _ in range(40):
        varied = [(base + noise.integers(-3, 4, base.shape)).clip(0, 255) for _ in range(50)]
        pictures = [encode(Image.fromarray(each.astype(np.uint8))) for each in varied]
        files = [("images", ("a.png", data)) for data in pictures]
        assert served.client.post("/gallery", files=files).status_code == 201
    return 2001


def health_beside(
    served: Served, calls: Sequence[Callable[[], httpx.Response]]
) -> tuple[list[httpx.Response], float]:
    """The answers to ``calls``, all at once, and the 99th percentile of /health meanwhile, in ms."""
    done, waits = threading.Event(), []

    def watch() -> None:
        with httpx.Client(base_url=served.url, timeout=30) as client:
            while not done.is_set():
                start = time.perf_counter()
                assert client.get("/health").status_code == 200
                waits.append(time.perf_counter() - start)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with ThreadPoolExecutor(len(calls)) as threads:
        answers = [f.result() for f in [threads.submit(call) for call in calls]]
    done.set()
    watcher.join()
    return answers, float(np.quantile(waits, 0.99)) * 1000


def test_hardening_fifty_callers_of_the_dearest_read_leave_the_service_answering(
    served: Served, alike: int
) -> None:
    def call(distance: float) -> Callable[[], httpx.Response]:
        return lambda: served.client.get("/duplicates", params={"max_distance": distance})

    answers, p99 = health_beside(served, [call(2 - i / 1000) for i in range(50)])
    statuses = [answer.status_code for answer in answers]
    print(f"/health p99 {p99:.0f} ms, {statuses.count(429)} of 50 refused")  # noqa: T201
    assert set(statuses) == {200, 429}
    largest = next(a for a in answers if a.status_code == 200).json()["groups"][0]
    assert (largest["size"], len(largest["images"]), largest["truncated"]) == (alike, 1000, True)
    assert p99 < 2000
    assert served.client.post("/search", files={"image": picture(1)}).status_code == 200


def test_hardening_fifty_callers_of_many_vectors_leave_the_service_answering(
    served: Served, alike: int
) -> None:
    options = httpx.QueryParams(limit=1000, include="embedding")

    def call() -> httpx.Response:
        return served.client.get("/gallery", params=options)

    answers, p99 = health_beside(served, [call] * 50)
    statuses = [answer.status_code for answer in answers]
    print(f"/health p99 {p99:.0f} ms, {statuses.count(429)} of 50 refused")  # noqa: T201
    assert set(statuses) <= {200, 429}
    whole = next(a for a in answers if a.status_code == 200).json()
    assert (len(whole["images"]), whole["total"]) == (1000, alike)
    assert p99 < 2000
