"""Whether it lives, whether it is ready, and what it measures."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest

from app import service as service_module
from app.bundle.encoder import Encoder
from app.config import Settings
from app.errors import StorageUnavailable
from app.gallery.gallery import Gallery
from app.inference import models as models_module
from app.testing import FakeEncoder
from tests.support import serving
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import in_thread

PATIENCE_S = 10
WATCHING = {"/health/live", "/metrics"}
OPERATIONS = [
    (path, method.upper())
    for path, methods in json.loads((ROOT / "docs" / "openapi.json").read_text())["paths"].items()
    for method in methods
]


class Moody(FakeEncoder):
    """An encoder that can be told to wait or to fail."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.released = threading.Event()
        self.released.set()
        self.asked = threading.Event()

    def embed(self, images: np.ndarray) -> np.ndarray:
        self.asked.set()
        assert self.released.wait(PATIENCE_S)
        if self.error:
            raise self.error
        return super().embed(images)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Moody:
    """Put a moody encoder in the place of the model's."""
    moody = Moody()

    def load(*_: object, **__: object) -> Encoder:
        return moody

    monkeypatch.setattr(models_module, "load_encoder", load)
    # That would wait for it, too.
    monkeypatch.setattr(models_module, "check_fit", lambda *_: None)
    monkeypatch.setattr(service_module, "_FRESH_S", 0.0)
    return moody


@contextmanager
def before_ready(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """Serve, and give the client as soon as the service lives."""

    def wait_live(client: httpx.Client) -> None:
        while True:
            try:
                client.get("/health/live")
                return
            except httpx.TransportError:
                pass

    with monkeypatch.context() as patch:
        patch.setattr(serving, "wait_ready", wait_live)
        with in_thread(settings) as client:
            yield client


def test_a_ready_service_says_what_it_serves(server: httpx.Client) -> None:
    server.post("/gallery", files={"images": picture(1)})
    for path in ("/health", "/health/ready"):
        answer = server.get(path)
        assert answer.status_code == 200
        body = answer.json()
        assert (body["status"], body["gallery"]) == ("ok", {"images": 1, "damaged": 0})
        assert (body["model"]["name"], body["model"]["version"]) == ("tiny", "1")
        assert (body["model"]["dimension"], body["model"]["runtime"]) == (48, "openvino")
        assert body["uptime_s"] >= 0
    assert server.get("/health/live").json() == {"status": "ok"}


def test_it_is_not_ready_while_a_folder_is_indexed(
    settings: Settings, tmp_path: Path, encoder: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    encoder.released.clear()
    indexing = settings.model_copy(update={"gallery_dir": folder})
    with before_ready(indexing, monkeypatch) as client:
        answer = client.get("/health")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert str(tmp_path) not in answer.json()["detail"]
        assert int(answer.headers["retry-after"]) >= 1
        assert client.get("/health/live").status_code == 200
        assert "gemello_ready 0.0" in client.get("/metrics").text
        encoder.released.set()
        wait_ready(client)
        assert client.get("/health").json()["gallery"]["images"] == 3
        assert "gemello_ready 1.0" in client.get("/metrics").text


def test_nothing_is_answered_from_a_gallery_that_is_still_being_loaded(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_thread(settings) as client:
        client.post("/gallery", files=[("images", picture(seed)) for seed in range(3)])
    released, load = threading.Event(), Gallery.load

    def slowly(gallery: Gallery) -> int:
        assert released.wait(PATIENCE_S)
        return load(gallery)

    monkeypatch.setattr(Gallery, "load", slowly)
    with before_ready(settings, monkeypatch) as client:
        for path, method in OPERATIONS:
            answer = client.request(
                method, path.format(image_id="a", job_id="b", name="c", version="1")
            )
            if path in WATCHING:
                assert answer.status_code == 200
                continue
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready"), path
            assert int(answer.headers["retry-after"]) >= 1
        released.set()
        wait_ready(client)
        assert client.post("/search", files={"image": picture(1)}).json()["total"] == 3


def wait_ready(client: httpx.Client) -> None:
    for _ in range(500):
        if client.get("/health").status_code == 200:
            return
    raise TimeoutError


def test_a_gallery_that_cannot_be_loaded_is_never_ready_and_says_why(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(_: Gallery) -> int:
        raise StorageUnavailable("a stored vector has the wrong length")

    monkeypatch.setattr(Gallery, "load", damaged)
    with before_ready(settings, monkeypatch) as client:
        for _ in range(200):
            answer = client.get("/health")
            if "wrong length" in answer.json().get("detail", ""):
                break
        assert answer.status_code == 503
        assert "a stored vector has the wrong length" in answer.json()["detail"]
        assert client.get("/health/live").status_code == 200


@pytest.mark.parametrize(
    "error", [RuntimeError("the graph broke"), ValueError("not finite"), OSError("gone")]
)
def test_a_model_that_fails_is_not_ready_until_it_works_again(
    settings: Settings, encoder: Moody, error: Exception
) -> None:
    with in_thread(settings) as client:
        encoder.error = error
        answer = client.get("/health")
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
        assert "the model failed" in answer.json()["detail"]
        assert str(error) not in answer.json()["detail"]
        assert client.get("/health/live").status_code == 200
        encoder.error = None
        assert client.get("/health").status_code == 200


def test_a_model_that_hangs_is_not_ready_and_the_probe_harms_nobody(
    settings: Settings, encoder: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.api.routes.health._PROBE_TIMEOUT_S", 0.1)
    with in_thread(settings) as client:
        encoder.released.clear()
        for _ in range(2):
            answer = client.get("/health")
            assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
            assert "did not answer" in answer.json()["detail"]
        encoder.released.set()
        assert client.get("/health").status_code == 200
        assert client.post("/search", files={"image": picture(1)}).status_code == 200


def test_a_model_that_is_busy_is_healthy_and_asked_once_however_many_ask(
    settings: Settings, encoder: Moody, monkeypatch: pytest.MonkeyPatch
) -> None:
    with in_thread(settings.model_copy(update={"queue_size": 16})) as client:
        encoder.released.clear()
        encoder.asked.clear()
        with ThreadPoolExecutor(41) as callers:
            # More than fit into the queue: what watches must not fill it.
            waiting = [callers.submit(client.get, "/health") for _ in range(40)]
            assert encoder.asked.wait(PATIENCE_S)
            search = callers.submit(client.post, "/search", files={"image": picture(1)})
            while "gemello_queue_depth 0.0" in client.get("/metrics").text:
                pass
            start = time.monotonic()
            assert client.get("/health").status_code == 200, "it works, and answered just now"
            assert time.monotonic() - start < 2, "nothing is waited for"
            encoder.released.set()
            assert {each.result().status_code for each in waiting} == {200}
            assert search.result().status_code == 200


def test_metrics_count_what_happened(fresh_server: httpx.Client) -> None:
    server = fresh_server
    server.post("/gallery", files=[("images", picture(seed)) for seed in range(3)])
    server.post("/search", files={"image": picture(1)})
    server.delete(server.get("/gallery").json()["images"][0]["image_url"].removesuffix("/image"))
    answer = server.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    for line in (
        "gemello_gallery_images 2.0",
        "gemello_images_added_total 3.0",
        "gemello_images_removed_total 1.0",
        "gemello_queue_depth 0.0",
        "gemello_ready 1.0",
        'gemello_requests_total{method="POST",route="/search",status="200"} 1.0',
        'gemello_requests_total{method="POST",route="/gallery",status="201"} 1.0',
        'gemello_requests_total{method="DELETE",route="/gallery/{image_id}",status="204"} 1.0',
        'gemello_request_seconds_count{method="POST",route="/search"} 1.0',
        'gemello_stage_seconds_count{stage="search"} 1.0',
        'gemello_stage_seconds_count{stage="decode"} 2.0',
        'gemello_stage_seconds_count{stage="embed"} 2.0',
        'gemello_stage_seconds_count{stage="store"} 1.0',
        'gemello_model_info{id="',
    ):
        assert f"\n{line}" in answer.text, line
