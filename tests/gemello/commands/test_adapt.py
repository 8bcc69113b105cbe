"""``gemello adapt`` on a running service."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.jobs import adaptation
from gemello import Client
from tests.support.command_line import refusal, run
from tests.support.images import picture
from tests.support.serving import in_thread

IMAGES = 30


@pytest.fixture
def own_store(tiny_store: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_store, tmp_path / "store"))


@pytest.fixture
def url(settings: Settings, own_store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(adaptation, "MIN_IMAGES", IMAGES)
    with in_thread(settings.model_copy(update={"model_store": own_store})) as server:
        yield str(server.base_url)


def fill(url: str, images: int, labels: int) -> None:
    with Client(url) as client:
        client.add(
            [picture(i) for i in range(images)],
            labels=[f"kind {i % labels}" if labels else None for i in range(images)],
        )


def test_the_figures_before_and_after_are_printed_and_how_to_go_back(
    url: str, own_store: Path
) -> None:
    fill(url, IMAGES, labels=5)
    done = run("adapt", "--name", "mine", "--force", "--url", url)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"mine/1 answers: tiny/1, adapted to {IMAGES} images of the gallery."
    assert "before" in done.stdout and "recall@1" in done.stdout and "map@r" in done.stdout
    assert lines[-1] == "To go back: gemello models activate tiny/1"
    shown = run("models", "show", "mine/1", "--store", own_store).stdout
    assert f"tiny/1, to {IMAGES} images of a gallery" in shown
    back = run("models", "activate", "tiny/1", "--url", url)
    assert (back.returncode, back.stdout) == (0, f"succeeded, {IMAGES} done, 0 failed\n")


def test_without_labels_there_are_no_figures_and_json_has_the_model(url: str) -> None:
    fill(url, IMAGES, labels=0)
    assert "No figures" in run("adapt", "--url", url).stdout
    again = json.loads(run("adapt", "tiny/1", "--json", "--url", url).stdout)
    assert (again["name"], again["version"], again["active"]) == ("adapted", "2", True)
    assert (again["base"]["model"], again["base"]["images"]) == ("tiny/1", IMAGES)


def test_what_is_refused_is_a_sentence(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "0 images" in refusal(run("adapt", "--url", url))
    fill(url, IMAGES, labels=5)
    assert "no/1" in refusal(run("adapt", "no/1", "--url", url))
    assert run("adapt", "tiny", "--url", url).returncode == 2
    monkeypatch.setattr(adaptation, "clearly_less", lambda *_: True)
    done = run("adapt", "--url", url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "less well" in done.stderr.splitlines()[-1]
