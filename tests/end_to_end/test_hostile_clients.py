"""Slow bodies, slow headers, silence and slow readers at once, with few descriptors: hardening 25."""

import io
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from app.api.connections.server import raise_descriptor_limit
from tests.support.hostile import BODY, HEADERS, SILENCE, Hostile, hold, reading
from tests.support.images import picture
from tests.support.serving import in_process

SECONDS = 45.0
"""Longer than any deadline of the server, as it is set up here."""


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


@pytest.mark.slow
def test_1464_hostile_clients_shut_nobody_out(tmp_path: Path, tiny_store: Path) -> None:
    raise_descriptor_limit()
    log = tmp_path / "log"
    environment = {
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_DATA_DIR": str(tmp_path / "data"),
        "GEMELLO_SAMPLE_GALLERY": "0",
        "GEMELLO_REQUEST_TIMEOUT_S": "20",
    }
    with (
        log.open("wb") as stream,
        in_process(environment, stream, descriptors=1024) as (_, url),
        httpx.Client(base_url=url, timeout=30) as server,
        ThreadPoolExecutor(1) as hostile,
    ):
        added = server.post("/gallery", files={"images": large_picture()}, data={"ids": '["a"]'})
        assert added.status_code == 201
        clients = [
            *[Hostile(BODY, drips=True)] * 200,
            *[Hostile(HEADERS, drips=True)] * 200,
            *[Hostile(SILENCE)] * 1000,
            *[Hostile(reading("/gallery/a/image"))] * 64,
        ]
        address = httpx.URL(url)
        running = hostile.submit(hold, (address.host, address.port or 80), clients, SECONDS)
        searched, watched = 0, []
        while not running.done():
            # A connection of its own for each: the newcomer is who would be shut out.
            with httpx.Client(base_url=url, timeout=30) as newcomer:
                answer = newcomer.post("/search", files={"image": picture(1)})
            assert answer.status_code == 200, answer.text
            searched += 1
            watched += [timed(server, "/health"), timed(server, "/metrics")]
        running.result()
        assert server.get("/health").status_code == 200
    assert searched > 100
    assert np.percentile(watched, 99) < 1, "they watch, and wait for nobody"
    assert log.stat().st_size < 1_000_000
