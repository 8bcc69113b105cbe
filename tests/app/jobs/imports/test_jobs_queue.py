"""The queue of imports: bounded in number and bytes, and nothing lies about when a job is over."""

import errno
import json
import shutil
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings
from app.errors import StorageFull
from app.jobs import runner as runner_module
from app.jobs.imports import jobs as jobs_module
from app.jobs.imports.archive import import_archive
from app.jobs.runner import Progress
from app.service import Service
from app.storage.local.blob_store import LocalBlobStore
from app.storage.local.database import Database
from tests.support.images import picture
from tests.support.imports import PATIENCE_S, begin, finished, zipped
from tests.support.serving import in_thread

ARCHIVE = zipped({"a.png": picture(1), "b/c.png": picture(2)})


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Archives are worked on once this is set."""
    go = threading.Event()

    def work(gallery: Any, path: Path, progress: Progress, **options: Any) -> None:
        while not go.wait(0.01):
            progress.check()
        import_archive(gallery, path, progress, **options)

    monkeypatch.setattr(jobs_module, "import_archive", work)
    yield go
    go.set()


def kept(settings: Settings) -> list[str]:
    return sorted(path.name for path in (settings.data_dir / "imports").iterdir())


def test_hardening_no_more_imports_wait_than_the_setting_says(
    settings: Settings, held: threading.Event
) -> None:
    with in_thread(settings.model_copy(update={"max_queued_jobs": 3})) as server:
        jobs = [begin(server, ARCHIVE) for _ in range(3)]
        refused = server.post("/gallery/import", files={"archive": ("a.zip", ARCHIVE)})
        assert (refused.status_code, refused.json()["code"]) == (429, "job_queue_full")
        assert "GEMELLO_MAX_QUEUED_JOBS" in refused.json()["detail"]
        assert len(kept(settings)) == 3
        # A change of models is no import, and finds room.
        assert server.post("/models/tiny/1/activate").status_code == 202
        held.set()
        assert [finished(server, job)["state"] for job in jobs] == ["succeeded"] * 3
        assert finished(server, begin(server, ARCHIVE))["state"] == "succeeded"
        assert kept(settings) == []


def test_uploads_at_once_do_not_take_the_same_place(
    settings: Settings, held: threading.Event
) -> None:
    def upload(_: int) -> int:
        files = {"archive": ("a.zip", ARCHIVE)}
        with httpx.Client(base_url=server.base_url, timeout=30) as client:
            return client.post("/gallery/import", files=files).status_code

    with in_thread(settings.model_copy(update={"max_queued_jobs": 3})) as server:
        with ThreadPoolExecutor(12) as threads:
            statuses = list(threads.map(upload, range(12)))
        assert set(statuses) == {202, 429}
        assert 1 <= statuses.count(202) <= 3
        assert len(kept(settings)) == statuses.count(202)
        held.set()


def test_hardening_archives_that_wait_take_bounded_room(
    settings: Settings, held: threading.Event
) -> None:
    large = zipped({"a.png": picture(1) + bytes(300_000)})
    with in_thread(settings.model_copy(update={"max_request_bytes": 500_000})) as server:
        answers = [
            server.post("/gallery/import", files={"archive": ("a.zip", large)}) for _ in range(20)
        ]
        statuses = [answer.status_code for answer in answers]
        assert statuses == [202] * 16 + [429] * 4
        assert answers[-1].json()["code"] == "job_queue_full"
        assert sum(map(len, kept(settings))) > 0
        held.set()


def test_hardening_a_cancelled_import_leaves_nothing_at_once(
    server: httpx.Client, settings: Settings, held: threading.Event
) -> None:
    running, *waiting = [begin(server, ARCHIVE) for _ in range(4)]
    for job in waiting:
        server.post(f"/jobs/{job['id']}/cancel")
    assert kept(settings) == [server.get(f"/jobs/{running['id']}").json()["arguments"]["archive"]]
    server.post(f"/jobs/{running['id']}/cancel")
    deadline = time.monotonic() + PATIENCE_S
    while kept(settings):
        assert time.monotonic() < deadline


def test_hardening_another_model_does_not_wait_behind_imports(
    server: httpx.Client, held: threading.Event
) -> None:
    imports = [begin(server, ARCHIVE) for _ in range(3)]
    activated = server.post("/models/tiny/1/activate").json()
    assert finished(server, activated)["state"] == "succeeded"
    states = {server.get(f"/jobs/{job['id']}").json()["state"] for job in imports}
    assert states <= {"queued", "running"}
    held.set()
    assert {finished(server, job)["state"] for job in imports} == {"succeeded"}


def test_hardening_the_list_of_jobs_is_short_whatever_they_were_given(settings: Settings) -> None:
    with in_thread(settings.model_copy(update={"url_import": True})) as server:
        urls = [f"http://127.0.0.1/{i:0900}" for i in range(1000)]
        job = begin(server, urls=json.dumps(urls))
        listed = server.get("/jobs")
        assert len(listed.content) < 2_000
        assert listed.json()["jobs"][0]["arguments"]["count"] == 1000
        ended = finished(server, job)
        assert (ended["done"], ended["failed"]) == (1000, 1000)
        assert kept(settings) == []


def test_addresses_that_an_earlier_version_wrote_into_the_job_are_fetched(
    settings: Settings,
) -> None:
    service = Service(settings)
    arguments = {"urls": ["http://127.0.0.1/a.png"], "on_conflict": "skip"}
    job = service.jobs.create(jobs_module.URLS, arguments)
    service.stop()
    with in_thread(settings) as server:
        ended = finished(server, {"id": job.id})
        assert (ended["state"], ended["done"], ended["failed"]) == ("succeeded", 1, 1)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errno.ENOSPC, 507, "storage_full"),
        (errno.EROFS, 503, "storage_unavailable"),
        (errno.EIO, 503, "storage_unavailable"),
    ],
)
def test_hardening_35_an_archive_that_cannot_be_kept_is_a_problem(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch, error: int, status: int, code: str
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(error, "no")

    monkeypatch.setattr(shutil, "copyfileobj", fail)
    # Nor can anything be removed, on a disk that may only be read.
    monkeypatch.setattr(Path, "unlink", fail)
    answer = server.post("/gallery/import", files={"archive": ("a.zip", ARCHIVE)})
    monkeypatch.undo()
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert server.get("/jobs").json()["jobs"] == []


def test_hardening_34_an_archive_that_is_gone_with_all_done_is_a_success(
    settings: Settings,
) -> None:
    """An earlier version removed the archive, then wrote down that the job was over."""
    with in_thread(settings) as server:
        done = finished(server, begin(server, ARCHIVE))
    database = Database(settings.data_dir / "gallery.sqlite3")
    with database.transaction() as db:
        db.execute("UPDATE jobs SET state = 'running'")
    database.close()
    with in_thread(settings) as server:
        again = finished(server, done)
        assert (again["state"], again["done"], again["added"]) == ("succeeded", 2, 2)


def test_hardening_35_an_import_that_meets_a_full_disk_goes_on_once_there_is_room(
    server: httpx.Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner_module, "_RETRY_S", 0.05)
    put, writes, room = LocalBlobStore.put, 0, threading.Event()

    def until_full(self: LocalBlobStore, digest: str, data: bytes) -> None:
        nonlocal writes
        writes += 1
        if writes > 20 and not room.is_set():
            raise StorageFull()
        put(self, digest, data)

    monkeypatch.setattr(LocalBlobStore, "put", until_full)
    job = begin(server, zipped({f"{i:02}.png": picture(i) for i in range(40)}))
    deadline = time.monotonic() + PATIENCE_S
    while "disk is full" not in ((now := server.get(f"/jobs/{job['id']}").json())["reason"] or ""):
        assert time.monotonic() < deadline
    assert (now["state"], now["done"], len(kept(settings))) == ("queued", 16, 1)
    assert server.post("/search", files={"image": picture(1)}).status_code == 200
    room.set()
    ended = finished(server, job)
    assert (ended["state"], ended["done"], ended["failed"]) == ("succeeded", 40, 0)
    assert server.get("/gallery").json()["total"] == 40


def test_what_a_kill_left_between_the_end_of_a_job_and_its_archive_goes_at_the_start(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs_module.Imports, "ended", lambda *_: None)
    with in_thread(settings) as server:
        assert finished(server, begin(server, ARCHIVE))["state"] == "succeeded"
    assert len(kept(settings)) == 1
    Service(settings).stop()
    assert kept(settings) == []
