"""``gemello index``: folders and images of this machine, archives, the service's folders, addresses."""

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.config import Settings
from tests.support.command_line import refusal, run
from tests.support.images import picture
from tests.support.serving import in_thread


def uploads(server: httpx.Client) -> int:
    """How many times someone posted to the gallery."""
    lines = server.get("/metrics").text.splitlines()
    wanted = 'gemello_requests_total{method="POST",route="/gallery"'
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(wanted))


def test_a_folder_is_indexed_once(server: httpx.Client, photos: Path) -> None:
    url, before = ("--url", server.base_url), uploads(server)
    first = run("index", photos, "--json", *url)
    assert first.returncode == 0
    assert json.loads(first.stdout) == {"created": 4, "already_there": 0, "failed": []}
    labels = {i["filename"]: i["label"] for i in server.get("/gallery").json()["images"]}
    assert labels == {"top.png": None, "a.png": "cats", "b.png": "cats", "c.png": "dogs"}
    assert uploads(server) == before + 1

    again = run("index", photos, *url)
    assert (again.returncode, again.stdout) == (0, "0 added, 4 already there, 0 refused.\n")
    assert uploads(server) == before + 1, "nothing was sent"


def test_files_that_are_refused_are_listed(server: httpx.Client, photos: Path) -> None:
    (photos / "text.png").write_text("no image")
    (photos / "gone.png").symlink_to(photos / "nowhere")
    folder = os.fsencode(photos) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102
    with open(folder + b"/na\xefve.png", "wb") as stream:  # noqa: PTH123
        stream.write(picture(20))
    done = run("index", photos, "--json", "--url", server.base_url)
    assert done.returncode == 1
    report = json.loads(done.stdout)
    assert report["created"] == 5
    failed = {Path(failure["file"]).name: failure["error"] for failure in report["failed"]}
    assert set(failed) == {"text.png", "gone.png"}
    assert "No such file" in failed["gone.png"]
    assert "not an image" in failed["text.png"]
    shown = run("index", photos, "--url", server.base_url)
    assert shown.returncode == 1
    assert "0 added, 5 already there, 2 refused." in shown.stdout
    assert "text.png: " in shown.stderr


def test_a_single_image_and_a_label_of_ones_own(server: httpx.Client, photos: Path) -> None:
    done = run(
        "index", photos / "top.png", photos / "cats", "--label", "x", "--url", server.base_url
    )
    assert (done.returncode, done.stdout) == (0, "3 added, 0 already there, 0 refused.\n")
    labels = {image["label"] for image in server.get("/gallery").json()["images"]}
    assert labels == {"x"}


@pytest.fixture
def importing(settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
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


def test_an_archive_is_unpacked_there(importing: httpx.Client, archive: Path) -> None:
    done = run("index", archive, "--url", importing.base_url)
    assert (done.returncode, done.stdout) == (1, "3 added, 0 already there, 1 refused.\n")
    assert "cats/broken.png: " in done.stderr
    again = run("index", archive, "--json", "--url", importing.base_url)
    report = json.loads(again.stdout)
    assert (report["created"], report["already_there"]) == (0, 3)
    assert [failure["file"] for failure in report["failed"]] == ["cats/broken.png"]
    labels = {image["label"] for image in importing.get("/gallery").json()["images"]}
    assert labels == {"cats"}


def test_a_folder_of_the_service_is_indexed_there(importing: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "imports" / "dogs"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(7))
    done = run("index", "--on-server", "dogs", "--url", importing.base_url)
    assert (done.returncode, done.stdout) == (0, "1 added, 0 already there, 0 refused.\n")
    assert "folder" in refusal(run("index", "--on-server", "none", "--url", importing.base_url))


def test_an_address_within_reach_of_the_service_alone_is_refused(importing: httpx.Client) -> None:
    address = f"{importing.base_url}docs/a.png"
    done = run("index", address, "--url", importing.base_url)
    assert (done.returncode, done.stdout) == (1, "0 added, 0 already there, 1 refused.\n")
    assert f"{address}: " in done.stderr


def test_everything_at_once(importing: httpx.Client, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "single.png").write_bytes(picture(9))
    done = run("index", tmp_path / "single.png", archive, "--url", importing.base_url)
    assert done.stdout == "4 added, 0 already there, 1 refused.\n"
    labelled = run("index", archive, "--label", "x", "--url", importing.base_url)
    assert (labelled.returncode, "--label" in labelled.stderr) == (2, True)
