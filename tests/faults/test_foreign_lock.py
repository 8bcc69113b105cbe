"""Another program holds the database: searches do not wait, writes are refused in time and come back."""

import sqlite3
import time
from contextlib import closing

import pytest

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread

pytestmark = pytest.mark.slow

# What a write waits, and as much again for a machine that is busy.
PATIENCE_S = 10


def test_reads_go_on_and_writes_are_refused_while_another_program_holds_the_database(
    settings: Settings,
) -> None:
    with in_thread(settings) as server:
        for seed in range(3):
            assert server.post("/gallery", files={"images": picture(seed)}).status_code == 201
        with closing(sqlite3.connect(settings.data_dir / "gallery.sqlite3")) as other:
            other.isolation_level = None
            other.execute("BEGIN EXCLUSIVE")
            begun = time.monotonic()
            answer = server.post("/search", files={"image": picture(1)}, data={"filter": "{}"})
            assert answer.json()["results"][0]["distance"] < 1e-3
            assert server.get("/gallery").json()["total"] == 3
            assert server.get("/stats").status_code == 200
            assert time.monotonic() - begun < 5, "a write waits as long"
            answer = server.post("/gallery", files={"images": picture(7)})
            assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
            assert time.monotonic() - begun < PATIENCE_S + 5
            other.execute("ROLLBACK")
        assert server.post("/gallery", files={"images": picture(7)}).status_code == 201
        assert server.get("/gallery").json()["total"] == 4
