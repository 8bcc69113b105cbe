"""``kill -9`` at random moments: what was answered is there, what was not is whole or absent."""

import signal
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import pytest

from app.storage.blob_store import digest_of
from tests.support.images import picture
from tests.support.serving import in_process

ROUNDS, PATIENCE_S, MANY = 4, 60, 30


@dataclass
class Ledger:
    """What the server acknowledged, and what it was asked but could not answer any more."""

    present: dict[str, int] = field(default_factory=dict)
    removed: set[str] = field(default_factory=set)
    unsure: dict[str, int] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    unsure_label: tuple[str, str] | None = None
    answers: int = 0


def change(url: str, ledger: Ledger, random: np.random.Generator, seeds: list[int]) -> None:
    """Add, change and delete until the server is gone."""
    with httpx.Client(base_url=url, timeout=10) as client:
        while True:
            # Few images, however long it takes: all are looked at after each start.
            if ledger.present and random.random() < (0.4 if len(ledger.present) < MANY else 0.9):
                names = sorted(ledger.present)
                image_id = names[int(random.integers(len(names)))]
                batch = {image_id: ledger.present.pop(image_id)}
                ledger.unsure = batch
                client.delete(f"/gallery/{image_id}").raise_for_status()
                ledger.removed.update(batch)
            elif ledger.present and random.random() < 0.4:
                names = sorted(ledger.present)
                image_id, label = names[int(random.integers(len(names)))], str(ledger.answers)
                ledger.unsure_label = image_id, label
                client.patch(f"/gallery/{image_id}", json={"label": label}).raise_for_status()
                ledger.labels[image_id], ledger.unsure_label = label, None
            else:
                chosen = [seeds.pop() for _ in range(int(random.integers(1, 4)))]
                batch = {digest_of(picture(seed))[:32]: seed for seed in chosen}
                ledger.unsure = batch
                files = [("images", (f"{seed}.png", picture(seed))) for seed in chosen]
                answer = client.post("/gallery", files=files).raise_for_status()
                assert answer.status_code == 201
                ledger.present.update(batch)
            ledger.unsure = {}
            ledger.answers += 1


@pytest.fixture
def environment(tmp_path: Path, tiny_store: Path) -> dict[str, str]:
    return {
        "GEMELLO_DATA_DIR": str(tmp_path / "data"),
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
    }


@pytest.mark.slow
def test_what_was_acknowledged_survives_a_kill(
    environment: dict[str, str], tmp_path: Path, times: int
) -> None:
    random = np.random.default_rng(3)
    ledger, seeds = Ledger(), list(range(1_000_000, 0, -1))
    starts = []
    for _ in range(ROUNDS * times):
        began = time.monotonic()
        with in_process(environment) as (process, url):
            starts.append(time.monotonic() - began)
            check(url, ledger, tmp_path / "data")
            writer = threading.Thread(target=until_gone, args=(url, ledger, random, seeds))
            writer.start()
            await_answers(ledger, int(random.integers(2, 12)))
            time.sleep(random.uniform(0, 0.05))
            process.kill()
            writer.join()
    print(
        f"\n{len(starts)} kills, {ledger.answers:,} acknowledged requests: lost 0, back 0; started"
        f" within {max(starts):.1f} s"
    )
    assert ledger.removed
    with in_process(environment) as (_, url):
        check(url, ledger, tmp_path / "data")
        assert len(ledger.present) > ROUNDS


def await_answers(ledger: Ledger, more: int) -> None:
    """However slow the machine is: some changes are acknowledged before the kill."""
    wanted, deadline = ledger.answers + more, time.monotonic() + PATIENCE_S
    while ledger.answers < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.001)


def until_gone(url: str, ledger: Ledger, random: np.random.Generator, seeds: list[int]) -> None:
    try:
        change(url, ledger, random, seeds)
    except httpx.TransportError:
        return


def check(url: str, ledger: Ledger, data: Path) -> None:
    """Hold a server that has just started to the ledger, and settle what was unsure."""
    with httpx.Client(base_url=url, timeout=10) as client:
        listed = {image["id"] for image in client.get("/gallery?limit=1000").json()["images"]}
        unsure = ledger.unsure.keys() & listed
        assert unsure in (set(), set(ledger.unsure)), "a request was half done"
        assert listed == ledger.present.keys() | unsure
        assert not listed & ledger.removed
        ledger.present.update({image_id: ledger.unsure[image_id] for image_id in unsure})
        ledger.unsure = {}
        for image_id in ledger.present:
            label = client.get(f"/gallery/{image_id}").json()["label"]
            assert label == ledger.labels.get(image_id) or (image_id, label) == ledger.unsure_label
            if label is not None:
                ledger.labels[image_id] = label
        ledger.unsure_label = None
        assert client.get("/stats").json()["damaged"] == 0
        for image_id, seed in ledger.present.items():
            found = client.post("/search", files={"image": picture(seed)}).json()["results"][0]
            assert found["id"] == image_id
            assert found["distance"] < 0.01
        assert client.get("/health").json()["gallery"]["images"] == len(listed)
    files = sorted(path.name for path in (data / "blobs").rglob("*") if path.is_file())
    assert files == sorted(digest_of(picture(seed)) for seed in ledger.present.values())


@pytest.mark.slow
def test_a_kill_straight_after_each_answer_loses_nothing(environment: dict[str, str]) -> None:
    for seed in range(3):
        with in_process(environment) as (process, url):
            answer = httpx.post(f"{url}/gallery", files={"images": picture(seed)})
            process.kill()
            assert answer.status_code == 201
    with in_process(environment) as (_, url):
        for seed in range(3):
            found = httpx.post(f"{url}/search", files={"image": picture(seed)}).json()
            assert found["total"] == 3
            assert found["results"][0]["distance"] < 0.01


@pytest.mark.slow
def test_a_polite_end_finishes_what_was_accepted(
    environment: dict[str, str], tmp_path: Path
) -> None:
    with in_process(environment) as (process, url):
        statuses: list[int] = []

        def upload() -> None:
            files = [("images", picture(seed)) for seed in range(100)]
            statuses.append(httpx.post(f"{url}/gallery", files=files, timeout=30).status_code)

        uploader = threading.Thread(target=upload)
        uploader.start()
        deadline = time.monotonic() + 20
        while not any((tmp_path / "data" / "blobs").glob("??/*")):
            assert time.monotonic() < deadline
        process.terminate()
        uploader.join()
        assert statuses == [201]
        # Having finished, it ends by the signal it was sent, as supervisors expect.
        assert process.wait(timeout=30) in (0, -signal.SIGTERM)
    database = sqlite3.connect(tmp_path / "data" / "gallery.sqlite3")
    assert database.execute("SELECT count(*) FROM images").fetchone() == (100,)
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    database.close()
