"""Slow bodies, slow headers, silence and slow readers at once, with few descriptors: hardening 25."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.api.connections.server import STOP_S, raise_descriptor_limit
from tests.support.hostile import BODY, HEADERS, READING, SILENCE, Hostile, hold
from tests.support.images import picture
from tests.support.serving import in_process

SECONDS = 45.0
"""Longer than any deadline of the server, as it is set up here."""

FEW_DESCRIPTORS = ("sh", "-c", 'ulimit -n 1024 && exec "$@"', "-")


def large_picture() -> bytes:
    """A PNG of 14 MB."""
    pixels = np.random.default_rng(0).integers(0, 256, (2200, 2200, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def timed(server: httpx.Client, path: str) -> float:
    start = time.perf_counter()
    assert server.get(path).status_code == 200
    return time.perf_counter() - start


@pytest.fixture
def environment(tmp_path: Path, tiny_store: Path) -> dict[str, str]:
    raise_descriptor_limit()  # of this process: it has as many connections
    return {
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_DATA_DIR": str(tmp_path / "data"),
        "GEMELLO_SAMPLE_GALLERY": "0",
        "GEMELLO_REQUEST_TIMEOUT_S": "20",
    }


def address_of(url: str) -> tuple[str, int]:
    address = httpx.URL(url)
    return address.host, address.port or 80


def store_large(url: str) -> None:
    """Store a picture under the id ``a``."""
    files, data = {"images": large_picture()}, {"ids": '["a"]'}
    assert httpx.post(f"{url}/gallery", files=files, data=data, timeout=30).status_code == 201


@pytest.mark.slow
def test_1464_hostile_clients_shut_nobody_out(tmp_path: Path, environment: dict[str, str]) -> None:
    clients = [
        *[Hostile(BODY, drips=True)] * 200,
        *[Hostile(HEADERS, drips=True)] * 200,
        *[Hostile(SILENCE)] * 1000,
        *[Hostile(READING)] * 64,
    ]
    log = tmp_path / "log"
    with (
        log.open("wb") as stream,
        in_process(environment, stream, within=FEW_DESCRIPTORS) as (_, url),
        httpx.Client(base_url=url, timeout=30) as watcher,
        ThreadPoolExecutor(1) as hostile,
    ):
        store_large(url)
        running = hostile.submit(hold, address_of(url), clients, SECONDS)
        searched, watched = 0, []
        while not running.done():
            # A connection of its own for each: the newcomer is who would be shut out.
            answer = httpx.post(f"{url}/search", files={"image": picture(1)}, timeout=30)
            assert answer.status_code == 200, answer.text
            searched += 1
            watched += [timed(watcher, "/health"), timed(watcher, "/metrics")]
        assert len(running.result()) == len(clients), "each was ended by its deadline, or before"
    assert searched > 100
    assert np.percentile(watched, 99) < 1, "they watch, and wait for nobody"
    assert log.stat().st_size < 1_000_000


@pytest.mark.slow
@pytest.mark.parametrize("first", [BODY, READING, HEADERS], ids=["bodies", "readers", "headers"])
def test_64_slow_clients_shut_nobody_out_and_put_off_no_stop(
    environment: dict[str, str], first: bytes
) -> None:
    with (
        in_process(environment) as (process, url),
        ThreadPoolExecutor(1) as hostile,
    ):
        store_large(url)
        running = hostile.submit(hold, address_of(url), [Hostile(first, drips=True)] * 64, SECONDS)
        for _ in range(100):
            answer = httpx.post(f"{url}/search", files={"image": picture(1)}, timeout=30)
            assert answer.status_code == 200, answer.text
        start = time.monotonic()
        process.terminate()
        process.wait(timeout=30)
        assert time.monotonic() - start < STOP_S
        assert len(running.result()) == 64
