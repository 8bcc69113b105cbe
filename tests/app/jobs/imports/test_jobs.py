"""Imports as jobs over a real port: archives, folders, addresses; progress, errors, restarts."""

import errno
import io
import json
import os
import shutil
import sqlite3
import time
import zipfile
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from app.config import Settings
from app.jobs.imports import archive as archive_module
from tests.support.images import picture
from tests.support.imports import PATIENCE_S, begin, finished, zipped
from tests.support.serving import in_process, in_thread


def labels(server: httpx.Client) -> dict[str, str | None]:
    listed = server.get("/gallery", params={"limit": 1000}).json()["images"]
    return {image["filename"]: image["label"] for image in listed}


def kept(settings: Settings) -> list[Path]:
    return list((settings.data_dir / "imports").iterdir())


def test_an_archive_is_added_and_what_is_no_image_is_named(
    server: httpx.Client, settings: Settings
) -> None:
    archive = zipped(
        {
            "top.png": picture(1),
            "shoes/a.jpg": picture(2, "JPEG"),
            "shoes/old/b.png": picture(3),
            "hats/broken.png": picture(4)[:100],
            "notes.txt": b"no image",
            ".hidden/c.png": picture(5),
            "__MACOSX/shoes/._a.jpg": b"",
            "../../outside.png": picture(6),
        }
    )
    job = finished(server, begin(server, archive))
    assert (job["state"], job["kind"]) == ("succeeded", "import_archive")
    assert (job["done"], job["total"], job["added"], job["failed"]) == (4, 4, 3, 1)
    assert [(e["item"], e["code"]) for e in job["errors"]] == [
        ("hats/broken.png", "image_undecodable")
    ]
    assert labels(server) == {"top.png": None, "shoes/a.jpg": "shoes", "shoes/old/b.png": "shoes"}
    assert kept(settings) == []
    again = finished(server, begin(server, archive))
    assert (again["done"], again["added"]) == (4, 0)


def test_an_entry_that_unpacks_to_too_much_is_refused(settings: Settings) -> None:
    small = settings.model_copy(update={"max_image_bytes": 100_000})
    with in_thread(small) as server:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("bomb.png", picture(1) + b"\0" * 50_000_000)
            archive.writestr("good.png", picture(2))
        job = finished(server, begin(server, out.getvalue()))
    assert (job["added"], job["failed"]) == (1, 1)
    assert job["errors"][0]["code"] == "image_too_large"


@pytest.mark.parametrize(
    "data",
    [b"", b"text", zipped({"a.png": b"x"})[:-30], b"PK\x05\x06" + b"\xff" * 18],
    ids=["empty", "text", "cut", "contents"],
)
def test_what_is_no_archive_is_refused_at_once(
    server: httpx.Client, settings: Settings, data: bytes
) -> None:
    answer = server.post("/gallery/import", files={"archive": ("a.zip", data)})
    assert (answer.status_code, answer.json()["code"]) == (400, "archive_invalid")
    assert kept(settings) == []
    assert server.get("/jobs").json()["jobs"] == []


def test_an_archive_of_too_many_entries_is_refused_before_they_are_read(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_ENTRIES", 3)
    archive = zipped({f"{i}.png": b"" for i in range(4)})
    answer = server.post("/gallery/import", files={"archive": ("a.zip", archive)})
    assert answer.status_code == 400
    assert "more than 3 entries" in answer.json()["detail"]


def test_a_locked_entry_is_named(server: httpx.Client) -> None:
    archive = bytearray(zipped({"a.png": picture(1), "b.png": picture(2)}))
    # The first bit of an entry's flags says that it is encrypted.
    archive[archive.index(b"PK\x01\x02") + 8] |= 1
    archive[archive.index(b"PK\x03\x04") + 6] |= 1
    job = finished(server, begin(server, bytes(archive)))
    assert (job["added"], job["failed"]) == (1, 1)
    assert "locked with a password" in job["errors"][0]["detail"]


def test_a_folder_below_the_settings_one_can_be_imported(
    settings: Settings, tmp_path: Path
) -> None:
    root = tmp_path / "photos"
    (root / "spring/shoes").mkdir(parents=True)
    (root / "spring/shoes/a.png").write_bytes(picture(1))
    (root / "spring/b.png").write_bytes(picture(2))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/c.png").write_bytes(picture(3))
    (root / "link").symlink_to(tmp_path / "secret")
    with in_thread(settings.model_copy(update={"import_dir": root})) as server:
        job = finished(server, begin(server, folder="spring"))
        assert (job["state"], job["added"]) == ("succeeded", 2)
        assert labels(server) == {"shoes/a.png": "shoes", "b.png": None}
        again = finished(server, begin(server, folder="spring"))
        assert (again["done"], again["added"]) == (2, 0)
        for folder in ("../secret", str(tmp_path / "secret"), "link", "none", "spring/b.png", "\0"):
            answer = server.post("/gallery/import", data={"folder": folder})
            assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
            assert "not a folder below" in answer.json()["detail"]


def test_folders_and_addresses_are_off_by_default(server: httpx.Client) -> None:
    for data, setting in (
        ({"folder": "x"}, "GEMELLO_IMPORT_DIR"),
        ({"urls": '["http://example.com/a.png"]'}, "GEMELLO_URL_IMPORT"),
    ):
        answer = server.post("/gallery/import", data=data)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")
        assert setting in answer.json()["detail"]


def test_addresses_that_must_not_be_fetched_are_named(settings: Settings) -> None:
    with in_thread(settings.model_copy(update={"url_import": True})) as server:
        urls = [str(server.base_url.join("/health?token=secret")), "file:///etc/passwd"]
        job = finished(server, begin(server, urls=json.dumps(urls)))
        assert (job["state"], job["done"], job["failed"]) == ("succeeded", 2, 2)
        assert {e["code"] for e in job["errors"]} == {"address_refused"}
        assert "secret" not in server.get(f"/jobs/{job['id']}").text


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"folder": "a", "urls": "[]"},
        {"urls": "[]"},
        {"urls": "x"},
        {"urls": "[1]"},
        {"urls": json.dumps(["http://example.com"] * 1001)},
        {"folder": "a", "on_conflict": "shout"},
    ],
)
def test_an_impossible_import_is_refused(settings: Settings, data: dict) -> None:
    with in_thread(settings.model_copy(update={"url_import": True})) as server:
        answer = server.post("/gallery/import", data=data)
        assert (answer.status_code, answer.json()["code"]) == (422, "parameter_invalid")


@pytest.mark.slow
def test_an_import_goes_on_after_a_kill(tmp_path: Path, tiny_store: Path) -> None:
    environment = {
        "GEMELLO_DATA_DIR": str(tmp_path / "data"),
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
    }
    archive = zipped({f"{i:04}.png": picture(i) for i in range(400)})
    with in_process(environment) as (process, url), httpx.Client(base_url=url) as client:
        job = begin(client, archive)
        deadline = time.monotonic() + PATIENCE_S
        while client.get(f"/jobs/{job['id']}").json()["done"] == 0:
            assert time.monotonic() < deadline
        process.kill()
    with in_process(environment) as (_, url), httpx.Client(base_url=url) as client:
        ended = finished(client, job)
        assert (ended["state"], ended["done"], ended["failed"]) == ("succeeded", 400, 0)
        assert client.get("/gallery").json()["total"] == 400
    assert list((tmp_path / "data/imports").iterdir()) == []


def test_an_import_whose_archive_was_removed_before_a_kill_has_succeeded(
    settings: Settings,
) -> None:
    """The archive goes first, then the job is said to have ended."""
    with in_thread(settings) as server:
        job = begin(server, zipped({f"{i}.png": picture(i) for i in range(3)}))
        assert finished(server, job)["state"] == "succeeded"
    with closing(sqlite3.connect(settings.data_dir / "gallery.sqlite3")) as database:
        database.execute("UPDATE jobs SET state = 'running'")
        database.commit()
    with in_thread(settings) as server:
        assert finished(server, job)["state"] == "succeeded"
        assert server.get("/gallery").json()["total"] == 3


@pytest.mark.parametrize(("number", "status"), [(errno.ENOSPC, 507), (errno.EROFS, 503)])
def test_an_archive_that_cannot_be_kept_is_refused(
    server: httpx.Client, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shutil, "copyfileobj", fails)
    monkeypatch.setattr(Path, "unlink", fails)
    answer = server.post("/gallery/import", files={"archive": zipped({"a.png": picture(1)})})
    assert answer.status_code == status
    assert answer.json()["code"] in ("storage_full", "storage_unavailable")


def test_a_cancelled_import_keeps_what_it_added(server: httpx.Client, settings: Settings) -> None:
    job = begin(server, zipped({f"{i:04}.png": picture(i) for i in range(400)}))
    deadline = time.monotonic() + PATIENCE_S
    while server.get(f"/jobs/{job['id']}").json()["done"] == 0:
        assert time.monotonic() < deadline
    assert server.post(f"/jobs/{job['id']}/cancel").json()["state"] == "cancelled"
    while kept(settings):
        assert time.monotonic() < deadline
    total = server.get("/gallery").json()["total"]
    assert 0 < total <= 400
    assert server.get("/jobs/none").json()["code"] == "job_not_found"
