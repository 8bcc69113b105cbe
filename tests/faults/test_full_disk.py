"""A disk that is really full: a small one of its own, which only the server sees (Linux, user namespaces)."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.support.serving import in_process

pytestmark = pytest.mark.slow

PATIENCE_S = 60
_MOUNTED = 'mount -t tmpfs -o size=12m none "$0" && mkdir "$0/tmp" && exec "$@"'


def noisy(seed: int, side: int = 160) -> bytes:
    """An image that no format makes small: about 75 kB."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def client(tmp_path: Path, tiny_store: Path) -> Iterator[httpx.Client]:
    disk = tmp_path / "disk"
    disk.mkdir()
    environment = {
        "GEMELLO_DATA_DIR": str(disk / "data"),
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
        "TMPDIR": str(disk / "tmp"),
    }
    small = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", _MOUNTED, str(disk)]
    with (
        in_process(environment, within=small) as (_, url),
        httpx.Client(base_url=url, timeout=60) as client,
    ):
        yield client


def add(client: httpx.Client, seed: int) -> int:
    answer = client.post("/gallery", files={"images": noisy(seed)}, data={"ids": f'["n{seed}"]'})
    if answer.status_code != 201:
        assert answer.json()["code"] == "storage_full", answer.text
    return answer.status_code


def fill(client: httpx.Client) -> list[str]:
    """Add until there is no room, not even for the smallest change; return the ids."""
    stored = fill_with_images(client)
    for number in range(10_000):
        answer = client.patch(
            f"/gallery/{stored[0]}", json={"metadata": {"text": f"{number}" * 999}}
        )
        if answer.status_code != 200:
            assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
            break
    return stored


def fill_with_images(client: httpx.Client) -> list[str]:
    stored = []
    for seed in range(10_000):
        if add(client, seed) != 201:
            break
        stored.append(f"n{seed}")
    return stored


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def check_all_found(client: httpx.Client, ids: list[str]) -> None:
    listed = [image["id"] for image in client.get("/gallery?limit=1000").json()["images"]]
    assert listed == ids
    for image_id in (ids[0], ids[-1]):
        answer = client.post("/search", files={"image": noisy(int(image_id[1:]))})
        assert answer.status_code == 200
        assert answer.json()["results"][0]["id"] == image_id


def test_searches_go_on_deleting_makes_room_and_writes_come_back(client: httpx.Client) -> None:
    stored = fill(client)
    check_all_found(client, stored)
    assert client.get("/health").status_code == 200
    for seed in range(5):
        assert add(client, 20_000 + seed) == 507
    kept = stored[:]
    for image_id in stored[1:20]:
        assert client.delete(f"/gallery/{image_id}").status_code == 204
        kept.remove(image_id)
    check_all_found(client, kept)
    assert add(client, 30_000) == 201
    check_all_found(client, [*kept, "n30000"])
    assert client.get("/stats").json()["damaged"] == 0


def test_everything_can_be_deleted_at_once(client: httpx.Client) -> None:
    fill(client)
    answer = client.delete("/gallery", params={"filter": "{}"})
    assert answer.status_code == 200, answer.text
    assert add(client, 1) == 201


def test_a_body_that_finds_no_room_is_told_so(client: httpx.Client) -> None:
    fill(client)
    files = [("images", noisy(seed, 400)) for seed in range(8)]
    answer = client.post("/gallery", files=files)
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    answer = client.post("/search", files={"image": noisy(1, 1200)})
    assert answer.json().get("code", "storage_full") == "storage_full"


def test_an_import_waits_for_room_and_goes_on(client: httpx.Client) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for seed in range(40):
            archive.writestr(f"{seed:02}.png", noisy(50_000 + seed))
    stored = fill_with_images(client)
    # Room for the body and for its copy; but not, once the body is gone, for all that is in it.
    room = 0
    while client.post("/gallery/import", files={"archive": out.getvalue()}).status_code != 202:
        client.delete(f"/gallery/{stored.pop()}").raise_for_status()
        room += 1
    (job,) = [job["id"] for job in client.get("/jobs").json()["jobs"]]
    assert room < 2 * 40 + 20
    # Others take what it leaves: it is stuck when nothing can be added any more.
    seeds = count(60_000)
    until(lambda: add(client, next(seeds)) == 507)
    state = client.get(f"/jobs/{job}").json()
    assert state["state"] in ("queued", "running"), state
    assert state["done"] < 40
    for image in client.get("/gallery?limit=1000").json()["images"]:
        if image["id"].startswith("n"):
            client.delete(image["image_url"].removesuffix("/image")).raise_for_status()
    found = until(lambda: _ended(client, job))
    assert (found["state"], found["failed"]) == ("succeeded", 0), json.dumps(found)
    names = {image["filename"] for image in client.get("/gallery?limit=1000").json()["images"]}
    assert names >= {f"{seed:02}.png" for seed in range(40)}


def _ended(client: httpx.Client, job: str) -> dict[str, Any] | None:
    found: dict[str, Any] = client.get(f"/jobs/{job}").json()
    return found if found["state"] not in ("queued", "running") else None
