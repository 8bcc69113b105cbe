"""Another maker's encoder in the container: imported by it, served by it, and changed for another."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import onnx_files
from tests.support.compose import Compose
from tests.support.paths import ROOT

_OVER = """
version: "3.8"
services:
  gemello:
    environment:
      GEMELLO_MODEL_STORE: /models
      GEMELLO_MODEL: dino/1
    volumes:
      - {folder}:/models
"""
PATIENCE_S = 60


@pytest.fixture
def compose(tmp_path: Path) -> Iterator[Compose]:
    """A stack whose model store is a folder with ``dino.onnx``, which every user may write to."""
    assert shutil.which("docker"), "these tests need Docker"
    folder = tmp_path / "models"
    folder.mkdir()
    folder.chmod(0o777)
    onnx_files.encoder(folder / "dino.onnx").chmod(0o644)
    over = tmp_path / "over.yml"
    over.write_text(_OVER.format(folder=folder))
    stack = Compose("gemello-test-imported", [over])
    try:
        stack("build")
        yield stack
    finally:
        stack.close()


def imported(compose: Compose, resize: str) -> str:
    given = ("--name", "dino", "--mean", "0.5", "--std", "0.25", "--resize", resize, "--json")
    printed = compose(
        *("run", "--rm", "-T", "gemello", "models", "import", "/models/dino.onnx", *given)
    )
    return str(json.loads(printed)["model"])


def nearest(compose: Compose) -> tuple[str, str, bool]:
    """The version that answers, and the label of the nearest image, which is the same one."""
    sample = next((ROOT / "app" / "sample_gallery").rglob("*.webp"))
    answer = compose.search(sample.read_bytes())
    first = answer["results"][0]
    assert first["label"] == sample.parent.name
    model = answer["model"]
    return model["name"], model["version"], first["distance"] < 0.01


def test_an_imported_model_is_searched_and_another_activated(compose: Compose) -> None:
    assert [imported(compose, resize) for resize in ("crop", "stretch")] == ["dino/1", "dino/2"]
    compose("up", "--detach")
    compose.wait_healthy()
    assert nearest(compose) == ("dino", "1", True)
    job = compose.client.post("/models/dino/2/activate").json()
    deadline = time.monotonic() + PATIENCE_S
    while compose.client.get(f"/jobs/{job['id']}").json()["state"] != "succeeded":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert nearest(compose) == ("dino", "2", True)
