"""The command line as a user runs it: exit codes, one sentence on failure, never a traceback."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import clean_environment, free_port
from tests.support.tiny_model import publish_tiny


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [sys.executable, "-m", "gemello", *map(str, arguments)],
        cwd=ROOT,
        env={**clean_environment(), "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def refusal(done: subprocess.CompletedProcess[str]) -> str:
    """The one sentence of a command that was refused."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("gemello: ")
    return lines[0]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name, seed in {"top.png": 0, "cats/a.png": 1, "cats/old/b.png": 2, "dogs/c.png": 3}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed))
    return root


def uploads(server: httpx.Client) -> int:
    """How many times someone posted to the gallery."""
    lines = server.get("/metrics").text.splitlines()
    wanted = 'gemello_requests_total{method="POST",route="/gallery"'
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith(wanted))


def test_a_folder_is_indexed_once_and_searched(server: httpx.Client, photos: Path) -> None:
    url = ("--url", server.base_url)
    first = run("index", photos, "--json", *url)
    assert first.returncode == 0
    assert json.loads(first.stdout) == {"created": 4, "already_there": 0, "failed": []}
    labels = {i["filename"]: i["label"] for i in server.get("/gallery").json()["images"]}
    assert labels == {"top.png": None, "a.png": "cats", "b.png": "cats", "c.png": "dogs"}
    assert uploads(server) == 1

    again = run("index", photos, *url)
    assert (again.returncode, again.stdout) == (0, "0 added, 4 already there, 0 refused.\n")
    assert uploads(server) == 1, "nothing was sent"

    found = run("search", photos / "cats/a.png", "-k", 2, "--json", *url)
    results = json.loads(found.stdout)["results"]
    assert [results[0]["filename"], len(results)] == ["a.png", 2]
    table = run("search", photos / "cats/a.png", GEMELLO_URL=str(server.base_url))
    assert table.returncode == 0
    assert "a.png" in table.stdout
    assert "0.0000" in table.stdout
    rows = [line.split() for line in table.stdout.splitlines() if ".png " in line][1:]
    assert [row.count("yes") for row in rows] == [1, 0, 0, 0]
    assert [row.count("no") for row in rows] == [0, 1, 1, 1]
    assert "98%" in table.stdout
    assert "No match" not in table.stdout
    (photos / "stranger.png").write_bytes(picture(113))
    nothing = run("search", photos / "stranger.png", *url)
    assert nothing.stdout.startswith("No match: the nearest images are farther than")
    assert nothing.stdout.count(".png") == 5, "the query and the four images"
    ready = run("health", *url)
    assert (ready.returncode, ready.stdout) == (0, "ready: 4 images, model tiny/1\n")


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


def test_searching_an_empty_gallery_says_so(server: httpx.Client, photos: Path) -> None:
    done = run("search", photos / "top.png", "--url", server.base_url)
    assert (done.returncode, done.stdout) == (0, "The gallery is empty.\n")
    (photos / "text.png").write_text("no image")
    done = run("search", photos / "text.png", "--url", server.base_url)
    assert "not an image" in refusal(done)


def test_nobody_there_is_one_sentence(photos: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for command in (("search", photos / "top.png"), ("index", photos), ("health",)):
        assert f"No Gemello answers at {url}" in refusal(run(*command, "--url", url))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("search", "missing.png"), "'IMAGE': file 'missing.png' does not exist; `gemello search"),
        (("search", "pyproject.toml", "-k", "0"), "greater than or equal to 1"),
        (("search",), "name an image, or --id"),
        (("index", "missing"), "missing does not exist"),
        (("serve", "--port", "many"), "Invalid value for '--port'"),
        (("gallery", "list", "--nope"), "No such option: --nope"),
        (("nonsense",), "No such command 'nonsense'; `gemello --help`"),
    ],
)
def test_misuse_is_one_sentence_and_told_from_failure(
    arguments: tuple[str, ...], sentence: str
) -> None:
    done = run(*arguments, GEMELLO_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gemello: ")
    assert sentence in done.stderr


def test_no_command_at_all_is_the_help() -> None:
    for arguments in ((), ("gallery",)):
        done = run(*arguments)
        assert done.returncode == 2
        assert "Usage: gemello" in done.stdout + done.stderr
        assert "gemello: " not in done.stderr


def test_the_published_models(tiny_store: Path, tmp_path: Path) -> None:
    store = Path(shutil.copytree(tiny_store, tmp_path / "store"))
    publish_tiny(store, offset=0.2)
    listed = json.loads(run("models", "list", "--store", store, "--json").stdout)
    assert [(row["model"], row["active"]) for row in listed] == [
        ("tiny/1", False),
        ("tiny/2", True),
    ]
    table = run("models", "list", GEMELLO_MODEL_STORE=str(store))
    assert "tiny/2" in table.stdout
    manifest = json.loads(run("models", "show", "tiny/1", "--store", store, "--json").stdout)
    assert (manifest["name"], manifest["version"], manifest["dimension"]) == ("tiny", "1", 48)
    used = run("models", "use", "tiny/1", "--store", store)
    assert (used.returncode, "tiny/1 is active" in used.stdout) == (0, True)
    good = run("models", "verify", "tiny", "--store", store)
    assert (good.returncode, good.stdout) == (0, "tiny/1: 2 files match their checksums.\n")

    (store / "tiny/1/openvino/model.bin").write_bytes(b"altered")
    assert "model.bin" in refusal(run("models", "verify", "tiny/1", "--store", store))
    assert "model.bin" in refusal(run("models", "use", "tiny/1", "--store", store))
    assert "it holds tiny/1, tiny/2" in refusal(run("models", "show", "none", "--store", store))


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"GEMELLO_MODEL": "none"}, "There is no model 'none'"),
        ({"GEMELLO_HOST": "0.0.0.0"}, "GEMELLO_HOST=0.0.0.0 listens beyond this machine"),  # noqa: S104
        ({"GEMELLO_READ_KEY": "r"}, "GEMELLO_READ_KEY is set without GEMELLO_WRITE_KEY"),
        ({"GEMELLO_PROT": "1"}, "GEMELLO_PROT='1' is not a setting"),
        ({"GEMELLO_MAX_BATCH": "lots"}, "GEMELLO_MAX_BATCH='lots'"),
        ({"GEMELLO_GALLERY_DIR": "/missing"}, "GEMELLO_GALLERY_DIR=/missing is not a folder"),
        ({"GEMELLO_DATA_DIR": "/dev/null/x"}, "GEMELLO_DATA_DIR=/dev/null/x cannot be used"),
    ],
)
def test_a_service_that_may_not_start_says_why(
    environment: dict[str, str], sentence: str, tiny_store: Path, tmp_path: Path
) -> None:
    usable = {
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_DATA_DIR": str(tmp_path),
        "GEMELLO_PORT": str(free_port()),
    }
    assert sentence in refusal(run("serve", **{**usable, **environment}))


def test_a_port_that_is_taken_is_said(tiny_store: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(
            "serve",
            "--port",
            taken.getsockname()[1],
            GEMELLO_MODEL_STORE=str(tiny_store),
            GEMELLO_MODEL="tiny",
            GEMELLO_DATA_DIR=str(tmp_path),
            GEMELLO_SAMPLE_GALLERY="0",
        )
    assert done.returncode != 0
    assert "Address already in use" in done.stderr


def test_the_version_and_the_help() -> None:
    assert run("--version").stdout.strip().count(".") == 2
    text = run("--help").stdout
    for command in ("serve", "index", "search", "models"):
        assert command in text
