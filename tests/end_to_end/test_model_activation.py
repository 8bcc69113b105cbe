"""Another model takes over: without a gap, without a mixed answer, through a ``kill -9``."""

import json
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_process, in_thread
from tests.support.tiny_model import publish_tiny

PATIENCE_S = 60


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """``tiny/1`` and ``tiny/2``, whose vectors differ; ``tiny/1`` is the one to serve."""
    place = tmp_path / "store"
    publish_tiny(place)
    publish_tiny(place, offset=0.5)
    return place


@pytest.fixture
def both(settings: Settings, store: Path) -> Settings:
    return settings.model_copy(update={"model_store": store, "model": "tiny/1"})


@pytest.fixture
def server(both: Settings) -> Iterator[httpx.Client]:
    with in_thread(both) as client:
        yield client


def fill(server: httpx.Client, images: int, first: int = 0) -> None:
    for start in range(first, first + images, 50):
        numbers = range(start, min(start + 50, first + images))
        files = [("images", (f"{i}.png", picture(i))) for i in numbers]
        ids = json.dumps([f"id{i:05}" for i in numbers])
        assert server.post("/gallery", files=files, data={"ids": ids}).status_code == 201


def activate(server: httpx.Client, version: str) -> str:
    answer = server.post(f"/models/tiny/{version}/activate")
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def finished(server: httpx.Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        job: dict[str, Any] = server.get(f"/jobs/{job_id}").json()
        if job["state"] not in ("queued", "running"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)


def search(server: httpx.Client, seed: int = 3) -> dict[str, Any]:
    answer = server.post(
        "/search", files={"image": picture(seed)}, data={"top_k": 5, "include": "embedding"}
    )
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def check_unmixed(body: dict[str, Any]) -> str:
    """The distances are those between vectors of one model, which is the one that is named."""
    query = np.array(body["query"]["embedding"])
    for result in body["results"]:
        measured = float(np.linalg.norm(query - result["embedding"]))
        assert result["distance"] == pytest.approx(measured, abs=1e-4)
    return str(body["model"]["version"])


def test_another_model_answers_and_back_again(server: httpx.Client) -> None:
    fill(server, 20)
    before = search(server)
    job = finished(server, activate(server, "2"))
    assert (job["state"], job["done"], job["total"], job["failed"]) == ("succeeded", 20, 20, 0)
    after = search(server)
    assert [check_unmixed(before), check_unmixed(after)] == ["1", "2"]
    assert before["results"][1]["distance"] != after["results"][1]["distance"]
    assert server.get("/health").json()["model"]["version"] == "2"
    assert 'version="2"' in server.get("/metrics").text
    fill(server, 5, first=100)
    assert search(server, 102)["results"][0]["id"] == "id00102"
    assert finished(server, activate(server, "1"))["state"] == "succeeded"
    again = search(server)
    assert again["results"] == before["results"]
    assert search(server, 102)["results"][0]["id"] == "id00102"


def test_the_models_are_listed_and_the_one_that_answers_is_marked(server: httpx.Client) -> None:
    listed = server.get("/models").json()["models"]
    assert [(m["name"], m["version"], m["active"]) for m in listed] == [
        ("tiny", "1", True),
        ("tiny", "2", False),
    ]
    assert (listed[0]["dimension"], listed[0]["input_size"], listed[0]["calibrated"]) == (
        48,
        32,
        True,
    )
    finished(server, activate(server, "2"))
    listed = server.get("/models").json()["models"]
    assert [m["active"] for m in listed] == [False, True]


@pytest.mark.parametrize("title", ["tiny/7", "none/1", "..%2f..%2fetc/1", "tiny/%00"])
def test_an_unknown_model_is_refused(server: httpx.Client, title: str) -> None:
    answer = server.post(f"/models/{title}/activate")
    assert answer.status_code == 404
    assert server.get("/jobs").json()["jobs"] == []


def test_a_model_that_was_tampered_with_fails_the_job_and_changes_nothing(
    server: httpx.Client, store: Path
) -> None:
    fill(server, 3)
    graph = store / "tiny/2/openvino/model.bin"
    graph.write_bytes(graph.read_bytes() + b"x")
    job = finished(server, activate(server, "2"))
    assert job["state"] == "failed"
    assert "SHA-256" in job["reason"]
    assert check_unmixed(search(server)) == "1"


def test_the_choice_holds_after_a_restart_until_the_setting_changes(both: Settings) -> None:
    with in_thread(both) as server:
        fill(server, 3)
        finished(server, activate(server, "2"))
    with in_thread(both) as server:
        assert check_unmixed(search(server)) == "2"
    with in_thread(both.model_copy(update={"model": "tiny"})) as server:
        assert check_unmixed(search(server)) == "2", "the newest version of tiny"
    with in_thread(both) as server:
        assert check_unmixed(search(server)) == "2"


def test_one_swap_at_a_time(server: httpx.Client, store: Path) -> None:
    publish_tiny(store, offset=0.9)
    fill(server, 200)
    first = activate(server, "2")
    assert activate(server, "2") == first or finished(server, first)
    other = server.post("/models/tiny/3/activate")
    if other.status_code == 409:
        assert other.json()["code"] == "job_conflict"
    else:
        assert finished(server, first)["state"] == "succeeded"


def test_a_damaged_image_is_named_and_does_not_stop_the_others(
    server: httpx.Client, both: Settings
) -> None:
    fill(server, 4)
    damaged = next(path for path in (both.data_dir / "blobs").rglob("*") if path.is_file())
    damaged.write_bytes(b"not what it was")
    job = finished(server, activate(server, "2"))
    assert (job["state"], job["failed"], job["done"]) == ("succeeded", 1, 4)
    assert job["errors"][0]["code"] == "image_undecodable"
    assert search(server)["total"] == 3


def test_searches_and_writes_go_on_while_models_change(server: httpx.Client) -> None:
    fill(server, 300)
    done = threading.Event()
    versions: list[str] = []
    failures: list[str] = []

    def keep_searching() -> None:
        with httpx.Client(base_url=server.base_url, timeout=30) as client:
            while not done.is_set():
                try:
                    versions.append(check_unmixed(search(client)))
                except AssertionError as exc:
                    failures.append(str(exc))

    def keep_writing() -> None:
        with httpx.Client(base_url=server.base_url, timeout=30) as client:
            number = 1000
            while not done.is_set():
                fill(client, 1, first=number)
                if number % 3 == 0:
                    assert client.delete(f"/gallery/id{number:05}").status_code == 204
                number += 1

    threads = [threading.Thread(target=work) for work in (keep_searching, keep_writing)]
    for thread in threads:
        thread.start()
    try:
        for version in ("2", "1", "2"):
            assert finished(server, activate(server, version))["state"] == "succeeded"
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert failures == []
    assert set(versions) == {"1", "2"}
    listed = server.get("/gallery", params={"limit": 1000}).json()
    whole = server.post("/search", files={"image": picture(3)}, data={"top_k": 1000}).json()
    assert {r["id"] for r in whole["results"]} == {i["id"] for i in listed["images"]}


def _environment(both: Settings, store: Path) -> dict[str, str]:
    return {
        "GEMELLO_DATA_DIR": str(both.data_dir),
        "GEMELLO_MODEL_STORE": str(store),
        "GEMELLO_MODEL": "tiny/1",
        "GEMELLO_SAMPLE_GALLERY": "0",
    }


@pytest.mark.slow
def test_a_kill_in_the_middle_is_survived_and_the_job_ends(both: Settings, store: Path) -> None:
    with (
        in_process(_environment(both, store)) as (process, url),
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        fill(client, 400)
        job_id = activate(client, "2")
        deadline = time.monotonic() + PATIENCE_S
        while client.get(f"/jobs/{job_id}").json()["done"] == 0:
            assert time.monotonic() < deadline
        process.kill()
    with (
        in_process(_environment(both, store)) as (_, url),
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        assert check_unmixed(search(client)) in ("1", "2")
        job = finished(client, job_id)
        assert (job["state"], job["done"]) == ("succeeded", 400)
        assert check_unmixed(search(client)) == "2"
        assert search(client)["total"] == 400


def test_a_service_that_changed_its_model_stops_when_it_is_told_to(
    both: Settings, store: Path
) -> None:
    with (
        in_process(_environment(both, store)) as (process, url),
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        fill(client, 4)
        finished(client, activate(client, "2"))
        process.terminate()
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
