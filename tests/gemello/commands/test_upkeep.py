"""``gemello gallery backup``, ``restore``, ``rebuild`` and ``accept``."""

import json
from pathlib import Path

import httpx
import pytest

from app.config import Settings
from tests.support.command_line import refusal, run
from tests.support.images import picture
from tests.support.serving import in_thread


@pytest.fixture
def data_dir(settings: Settings) -> Path:
    return settings.data_dir


def add(server: httpx.Client, *seeds: int) -> None:
    files = [("images", (f"{seed}.png", picture(seed))) for seed in seeds]
    data = {"labels": json.dumps([f"label {seed}" for seed in seeds])}
    assert server.post("/gallery", files=files, data=data).status_code == 201


def labels(settings: Settings) -> list[str]:
    with in_thread(settings) as server:
        found = server.post("/search", files={"image": picture(1)}).json()["results"]
        assert (found[0]["label"], round(found[0]["distance"], 2)) == ("label 1", 0)
        return [image["label"] for image in server.get("/gallery").json()["images"]]


def test_a_backup_of_a_running_service_is_put_back(
    settings: Settings, data_dir: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    with in_thread(settings) as server:
        add(server, 0, 1)
        done = run("gallery", "backup", copy, "--data-dir", data_dir)
        assert (done.returncode, done.stdout) == (0, f"{data_dir} is copied to {copy}.\n")
        add(server, 2)
        for command in (["restore", copy], ["rebuild"], ["accept", "--yes"]):
            done = run("gallery", *command, "--data-dir", data_dir)
            assert "is in use by another Gemello" in refusal(done)
    assert labels(settings.model_copy(update={"data_dir": copy})) == ["label 0", "label 1"]
    done = run("gallery", "restore", copy, "--json", GEMELLO_DATA_DIR=str(data_dir))
    assert (done.returncode, json.loads(done.stdout)) == (0, {"damage": []})
    assert labels(settings) == ["label 0", "label 1"]


def test_a_copy_names_what_is_damaged(settings: Settings, data_dir: Path, tmp_path: Path) -> None:
    with in_thread(settings) as server:
        add(server, 0, 1)
        (image,) = list((data_dir / "blobs").glob("??/*"))[:1]
        image.write_bytes(b"spoilt")
        done = run("gallery", "backup", tmp_path / "copy", "--data-dir", data_dir)
    assert done.returncode == 1
    assert done.stdout.endswith(", but for 1 damaged.\n")
    assert f"image {image.name[:32]}: its file has been altered" in done.stderr


def test_a_database_is_made_anew(settings: Settings, data_dir: Path) -> None:
    with in_thread(settings) as server:
        add(server, 0, 1, 2)
    (data_dir / "gallery.sqlite3").write_bytes(b"spoilt" * 1000)
    done = run("gallery", "rebuild", "--data-dir", data_dir)
    assert done.returncode == 0
    assert done.stdout.startswith("3 images have a record, 0 of them without label and metadata; ")
    assert labels(settings) == ["label 0", "label 1", "label 2"]


def test_what_there_is_can_be_accepted(settings: Settings, data_dir: Path) -> None:
    with in_thread(settings) as server:
        add(server, 0, 1)
    (data_dir / "gallery.sqlite3").unlink()
    done = run("gallery", "accept", "--data-dir", data_dir)
    assert (done.returncode, done.stdout.count("Go on with the database")) == (1, 1)
    done = run("gallery", "accept", "--data-dir", data_dir, "--yes", "--json")
    assert json.loads(done.stdout) == {"images": 0, "quarantined": 2}
    with in_thread(settings) as server:
        stats = server.get("/stats").json()
        assert (stats["images"], stats["quarantined"]) == (0, 2)


def test_a_folder_is_not_copied_to_itself(data_dir: Path) -> None:
    for command in ("backup", "restore"):
        done = run("gallery", command, data_dir, "--data-dir", data_dir)
        assert "cannot be copied to itself" in refusal(done)


def test_what_is_no_gallery_is_not_copied(data_dir: Path, tmp_path: Path) -> None:
    done = run("gallery", "backup", tmp_path / "copy", "--data-dir", tmp_path / "none")
    assert "holds no gallery" in done.stderr
    assert done.returncode == 1
