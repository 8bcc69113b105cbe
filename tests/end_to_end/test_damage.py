"""What callers and operators see of damage: told, mended where it can be, and no other image's matter."""

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.errors import DatabaseOutdated
from app.service import Service
from app.storage.blob_store import digest_of
from tests.support.images import picture
from tests.support.serving import in_thread

PATIENCE_S = 30


def add(server: httpx.Client, *seeds: int) -> None:
    for seed in seeds:
        data = {"ids": f'["image{seed}"]'}
        server.post("/gallery", files={"images": picture(seed)}, data=data).raise_for_status()


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return found


def checked(server: httpx.Client) -> dict[str, Any]:
    def whole() -> dict[str, Any] | None:
        stats: dict[str, Any] = server.get("/stats").json()
        return stats if stats["checked_at"] else None

    found: dict[str, Any] = until(whole)
    return found


def test_a_damaged_vector_and_a_damaged_record_are_mended_before_anything_is_answered(
    settings: Settings,
) -> None:
    with in_thread(settings) as server:
        add(server, 0, 1, 2)
        before = server.get("/gallery?include=embedding").json()["images"]
    with closing(sqlite3.connect(settings.data_dir / "gallery.sqlite3")) as database:
        database.execute("UPDATE vectors SET vector = zeroblob(length(vector)) WHERE position = 1")
        database.execute("UPDATE images SET metadata = '{cut sh' WHERE position = 2")
        database.commit()
    with in_thread(settings) as server:
        assert server.get("/gallery?include=embedding").json()["images"] == before
        for seed in range(3):
            results = server.post("/search", files={"image": picture(seed)}).json()["results"]
            assert (results[0]["id"], len(results)) == (f"image{seed}", 3)
        stats = checked(server)
        assert (stats["damaged"], stats["mended"]) == (0, 2)


def test_a_damaged_image_is_told_and_the_others_go_on(settings: Settings) -> None:
    with in_thread(settings) as server:
        add(server, 0, 1, 2)
    digest = digest_of(picture(1))
    path = settings.data_dir / "blobs" / digest[:2] / digest
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with in_thread(settings) as server:
        stats = checked(server)
        assert (stats["damaged"], stats["quarantined"]) == (1, 1)
        assert [(each["kind"], each["item"]) for each in stats["damage"]] == [("image", "image1")]
        health = server.get("/health")
        assert (health.status_code, health.json()["gallery"]["damaged"]) == (200, 1)
        assert "gemello_damaged_items 1.0" in server.get("/metrics").text
        answer = server.get("/gallery/image1/image")
        assert (answer.status_code, answer.json()["code"]) == (503, "image_damaged")
        assert server.get("/gallery/image2/image").content == picture(2)
        results = server.post("/search", files={"image": picture(1)}).json()["results"]
        assert results[0]["id"] == "image1", "its vector and its record are whole"
        add(server, 1)
        assert server.get("/gallery/image1/image").content == picture(1)


def test_an_older_database_stops_the_start_and_nothing_is_lost(settings: Settings) -> None:
    path = settings.data_dir / "gallery.sqlite3"
    with in_thread(settings) as server:
        add(server, 0)
    older = path.read_bytes()
    with in_thread(settings) as server:
        add(server, 1, 2)
    newest = path.read_bytes()
    path.write_bytes(older)
    with pytest.raises(DatabaseOutdated, match=r"gemello gallery rebuild.*gemello gallery accept"):
        Service(settings)
    path.write_bytes(newest)
    with in_thread(settings) as server:
        assert server.get("/gallery").json()["total"] == 3
        assert server.get("/stats").json()["quarantined"] == 0
