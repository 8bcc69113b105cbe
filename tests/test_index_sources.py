"""``gemello index`` of archives, of the service's own folders, and of addresses on the web."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.config import Settings
from tests.support.images import picture
from tests.support.serving import in_thread
from tests.test_commands import refusal, run


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    changes = {"import_dir": tmp_path / "imports", "url_import": True}
    with in_thread(settings.model_copy(update=changes)) as client:
        yield client


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "photos.ZIP"
    with zipfile.ZipFile(path, "w") as packed:
        for seed in range(3):
            packed.writestr(f"cats/{seed}.png", picture(seed))
        packed.writestr("cats/broken.png", b"no image")
    return path


def test_an_archive_is_unpacked_there(server: httpx.Client, archive: Path) -> None:
    done = run("index", archive, "--url", server.base_url)
    assert (done.returncode, done.stdout) == (1, "3 added, 0 already there, 1 refused.\n")
    assert "cats/broken.png: " in done.stderr
    again = run("index", archive, "--json", "--url", server.base_url)
    report = json.loads(again.stdout)
    assert (report["created"], report["already_there"]) == (0, 3)
    assert [failure["file"] for failure in report["failed"]] == ["cats/broken.png"]
    labels = {image["label"] for image in server.get("/gallery").json()["images"]}
    assert labels == {"cats"}


def test_a_folder_of_the_service_is_indexed_there(server: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "imports" / "dogs"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(7))
    done = run("index", "--there", "dogs", "--url", server.base_url)
    assert (done.returncode, done.stdout) == (0, "1 added, 0 already there, 0 refused.\n")
    assert "folder" in refusal(run("index", "--there", "none", "--url", server.base_url))


def test_an_address_within_reach_of_the_service_alone_is_refused(server: httpx.Client) -> None:
    address = f"{server.base_url}docs/a.png"
    done = run("index", address, "--url", server.base_url)
    assert (done.returncode, done.stdout) == (1, "0 added, 0 already there, 1 refused.\n")
    assert f"{address}: " in done.stderr


def test_everything_at_once(server: httpx.Client, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "single.png").write_bytes(picture(9))
    done = run("index", tmp_path / "single.png", archive, "--url", server.base_url)
    assert done.stdout == "4 added, 0 already there, 1 refused.\n"
    labelled = run("index", archive, "--label", "x", "--url", server.base_url)
    assert (labelled.returncode, "--label" in labelled.stderr) == (2, True)
