"""A model is adapted to the gallery: by mapping vectors, through a ``kill -9``, and back again."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app.bundle import model_store
from app.config import Settings
from app.jobs import adaptation
from tests.support.images import picture
from tests.support.serving import in_process, in_thread
from tests.support.tiny_model import publish_tiny

PATIENCE_S = 60
IMAGES = 60


@pytest.fixture
def store(tmp_path: Path) -> Path:
    place = tmp_path / "store"
    publish_tiny(place)
    return place


@pytest.fixture
def own(settings: Settings, store: Path) -> Settings:
    return settings.model_copy(update={"model_store": store, "model": "tiny"})


@pytest.fixture
def server(own: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    monkeypatch.setattr(adaptation, "MIN_IMAGES", IMAGES)
    with in_thread(own) as client:
        yield client


def fill(server: httpx.Client, images: int, first: int = 0, labels: int = 7) -> None:
    for start in range(first, first + images, 50):
        numbers = range(start, min(start + 50, first + images))
        files = [("images", (f"{i}.png", picture(i))) for i in numbers]
        data = {
            "ids": json.dumps([f"id{i:05}" for i in numbers]),
            "labels": json.dumps([f"kind {i % labels}" if labels else None for i in numbers]),
        }
        assert server.post("/gallery", files=files, data=data).status_code == 201


def adapt(server: httpx.Client, title: str = "tiny/1", **form: str) -> dict[str, Any]:
    """The job, once it has ended."""
    answer = server.post(f"/models/{title}/adapt", data=form)
    assert answer.status_code == 202, answer.text
    return finished(server, answer.json()["id"])


def finished(server: httpx.Client, job_id: str) -> dict[str, Any]:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        job: dict[str, Any] = server.get(f"/jobs/{job_id}").json()
        if job["state"] not in ("queued", "running"):
            return job
        assert time.monotonic() < deadline, job
        time.sleep(0.02)


def activate(server: httpx.Client, title: str) -> None:
    job = server.post(f"/models/{title}/activate").json()
    assert finished(server, job["id"])["state"] == "succeeded"


def vectors(server: httpx.Client) -> dict[str, np.ndarray]:
    listed = server.get("/gallery", params={"limit": 1000, "include": "embedding"}).json()
    return {one["id"]: np.array(one["embedding"]) for one in listed["images"]}


def answering(server: httpx.Client) -> str:
    model = server.get("/health").json()["model"]
    return f"{model['name']}/{model['version']}"


def published(server: httpx.Client) -> dict[str, dict[str, Any]]:
    models = server.get("/models").json()["models"]
    return {f"{model['name']}/{model['version']}": model for model in models}


def break_images(settings: Settings) -> None:
    """Whoever decodes one from now on fails."""
    for path in (settings.data_dir / "blobs").rglob("*"):
        if path.is_file():
            path.write_bytes(b"not what it was")


def test_vectors_are_mapped_no_image_is_decoded_and_going_back_is_as_quick(
    server: httpx.Client, own: Settings
) -> None:
    fill(server, IMAGES)
    before = vectors(server)
    break_images(own)
    job = adapt(server)
    assert (job["state"], job["kind"], job["failed"]) == ("succeeded", "adapt_model", 0), job
    assert (job["done"], job["total"]) == (IMAGES, IMAGES)
    assert answering(server) == "adapted/1"
    after = vectors(server)
    assert after.keys() == before.keys()
    assert all(np.linalg.norm(after[i] - before[i]) > 0.1 for i in before)
    activate(server, "tiny/1")
    assert all(np.array_equal(vectors(server)[i], before[i]) for i in before)
    activate(server, "adapted/1")
    assert all(np.array_equal(vectors(server)[i], after[i]) for i in before)


def test_stored_vectors_are_those_that_the_new_graph_gives(server: httpx.Client) -> None:
    fill(server, IMAGES)
    adapt(server)
    stored = vectors(server)
    embedded = server.post("/embed", files=[("images", picture(i)) for i in range(20)]).json()
    for number, item in enumerate(embedded["items"]):
        np.testing.assert_allclose(item["embedding"], stored[f"id{number:05}"], atol=1e-4)


def test_images_added_later_are_mapped_or_embedded_whichever_is_possible(
    server: httpx.Client,
) -> None:
    fill(server, IMAGES)
    adapt(server)
    fill(server, 5, first=100)
    activate(server, "tiny/1")
    fill(server, 5, first=200)
    activate(server, "adapted/1")
    assert len(vectors(server)) == IMAGES + 10
    found = server.post("/search", files={"image": picture(202)}, data={"top_k": 1}).json()
    assert (found["results"][0]["id"], found["results"][0]["distance"] < 1e-3) == ("id00202", True)


def test_an_adapted_model_is_adapted_anew_from_its_base_so_maps_do_not_pile_up(
    server: httpx.Client, store: Path
) -> None:
    fill(server, IMAGES)
    adapt(server)
    once = vectors(server)
    job = adapt(server, "adapted/1")
    assert (job["state"], job["arguments"]["model"]) == ("succeeded", "tiny/1")
    assert answering(server) == "adapted/2"
    # Of the same images: the same map.
    assert all(np.allclose(vectors(server)[i], once[i], atol=1e-5) for i in once)
    fill(server, 40, first=100)
    assert adapt(server, "adapted/2")["state"] == "succeeded"
    base = model_store.resolve(store, "adapted/3").manifest.base
    assert base is not None
    assert (base.model, base.images) == ("tiny/1", IMAGES + 40), "later images are embedded first"


def test_figures_of_labelled_images_stand_with_the_model(server: httpx.Client, store: Path) -> None:
    fill(server, IMAGES)
    job = adapt(server, name="mine", force="true")
    model = published(server)["mine/1"]
    assert model["base"]["model"] == "tiny/1"
    assert (model["base"]["images"], model["base"]["job"]) == (IMAGES, job["id"])
    assert set(model["metrics"]) == set(model["base"]["metrics"]) == {"recall@1", "map@r"}
    manifest = model_store.resolve(store, "mine/1").manifest
    assert manifest.calibration is None
    assert manifest.evaluation is not None and manifest.evaluation.queries == IMAGES
    assert set(manifest.files) == {"openvino/model.xml", "openvino/model.bin", "linear_map.npz"}
    assert published(server)["tiny/1"]["base"] is None


def test_what_the_name_means_stays_so_that_a_restart_before_the_switch_serves_the_old_model(
    server: httpx.Client, store: Path, own: Settings
) -> None:
    fill(server, IMAGES)
    assert adapt(server, name="tiny")["state"] == "succeeded"
    assert answering(server) == "tiny/2"
    assert model_store.active_version(store, "tiny") == "1"


def test_without_labels_there_are_no_figures(server: httpx.Client) -> None:
    fill(server, IMAGES, labels=0)
    assert adapt(server)["state"] == "succeeded"
    model = published(server)["adapted/1"]
    assert (model["metrics"], model["base"]["metrics"]) == (None, None)


def test_what_would_find_less_is_not_published_unless_forced(
    server: httpx.Client, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "clearly_less", lambda *_: True)
    fill(server, IMAGES)
    job = adapt(server)
    assert job["state"] == "failed"
    assert "MAP@R" in job["reason"]
    assert (answering(server), model_store.list_models(store)) == ("tiny/1", ["tiny/1"])
    assert adapt(server, force="true")["state"] == "succeeded"
    assert answering(server) == "adapted/1"


def test_hardening_adapted_models_do_not_fill_the_disk(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adaptation, "MAX_ADAPTED", 2)
    fill(server, IMAGES)
    assert adapt(server, name="one")["state"] == "succeeded"
    assert adapt(server, name="two")["state"] == "succeeded"
    answer = server.post("/models/tiny/1/adapt", data={"name": "three"})
    assert (answer.status_code, answer.json()["code"]) == (409, "adaptation_refused")
    assert "holds 2 adapted models" in answer.json()["detail"]
    assert answering(server) == "two/1"


def test_too_few_images_are_refused(server: httpx.Client) -> None:
    fill(server, IMAGES - 1)
    answer = server.post("/models/tiny/1/adapt")
    assert (answer.status_code, answer.json()["code"]) == (409, "adaptation_refused")
    assert f"{IMAGES}" in answer.json()["detail"]
    assert server.get("/jobs").json()["jobs"] == []


@pytest.mark.parametrize(
    ("title", "form", "status"),
    [
        ("tiny/7", {}, 404),
        ("none/1", {}, 404),
        ("tiny/1", {"name": "../up"}, 422),
        ("tiny/1", {"nmae": "mine"}, 422),
    ],
)
def test_what_cannot_be_adapted_is_refused(
    server: httpx.Client, title: str, form: dict[str, str], status: int
) -> None:
    fill(server, IMAGES)
    assert server.post(f"/models/{title}/adapt", data=form).status_code == status


def test_a_store_that_cannot_be_written_is_refused_at_once(
    server: httpx.Client, store: Path
) -> None:
    fill(server, IMAGES)
    (store / "taken").write_text("a file where a folder should be")
    answer = server.post("/models/tiny/1/adapt", data={"name": "taken"})
    assert (answer.status_code, answer.json()["code"]) == (409, "model_store_unwritable")


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 0.05, 0.1, 0.2, 0.4])
def test_a_kill_at_any_moment_leaves_the_old_model_or_the_new_one_and_one_version(
    own: Settings, store: Path, seconds: float
) -> None:
    environment = {
        "GEMELLO_DATA_DIR": str(own.data_dir),
        "GEMELLO_MODEL_STORE": str(store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
    }
    count = adaptation.MIN_IMAGES + 500
    with (
        in_process(environment) as (process, url),
        httpx.Client(base_url=url, timeout=30) as client,
    ):
        fill(client, count)
        job_id = client.post("/models/tiny/1/adapt", data={"force": "true"}).json()["id"]
        time.sleep(seconds)
        process.kill()
    with in_process(environment) as (_, url), httpx.Client(base_url=url, timeout=30) as client:
        assert answering(client) in ("tiny/1", "adapted/1")
        job = finished(client, job_id)
        assert (job["state"], job["done"]) == ("succeeded", count), job
        assert answering(client) == "adapted/1"
        assert len(vectors(client)) == count
    assert model_store.list_models(store) == ["adapted/1", "tiny/1"]
    assert not list((store / "adapted").glob(".staging-*"))
