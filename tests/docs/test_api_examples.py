"""Every example of docs/api.md, in order, against a real service on a real port."""

import io
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path
from shutil import rmtree
from typing import Any

import httpx
import pytest

from app.config import Settings
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import in_thread
from tests.support.tiny_model import publish_tiny

PAGE = ROOT / "docs" / "api.md"
GOLDEN = PAGE.with_name("openapi.json")
WRITTEN = "http://127.0.0.1:8000"
BLOCK = re.compile(r"```(bash|python)\n(.*?)```", re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files that the examples name, in the folder that they run in."""
    place = tmp_path / "files"
    place.mkdir()
    names = ("red-shoe", "blue-shoe", "hat", "boot")
    for seed, name in enumerate(names):
        (place / f"{name}.png").write_bytes(picture(seed))
    (place / "query.png").write_bytes(picture(0, compress_level=1))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("scarves/red.png", picture(50))
    (place / "photos.zip").write_bytes(archive.getvalue())
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[httpx.Client]:
    # As in the store that ships, the one version is the second.
    first = publish_tiny(tmp_path / "store", "default")
    publish_tiny(tmp_path / "store", "default")
    rmtree(first.path)
    served = {"model_store": tmp_path / "store", "model": "default"}
    with in_thread(settings.model_copy(update=served)) as client:
        yield client


@pytest.mark.usefixtures("folder")
def test_every_example_works(server: httpx.Client) -> None:
    text = PAGE.read_text().replace(WRITTEN, str(server.base_url).rstrip("/"))
    blocks = BLOCK.findall(text)
    assert len(blocks) > 25
    names: dict[str, Any] = {}
    try:
        for kind, source in blocks:
            if kind == "python":
                exec(compile(source, str(PAGE), "exec"), names)  # noqa: S102
            else:
                run(source)
    finally:
        names["client"].close()


def run(source: str) -> None:
    for command in source.replace("\\\n", "").splitlines():
        checked = command.replace("curl", "curl --fail-with-body --silent --show-error", 1)
        done = subprocess.run(
            ["bash", "-c", checked], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_every_call_has_an_example() -> None:
    text = PAGE.read_text()
    for path in json.loads(GOLDEN.read_text())["paths"]:
        pattern = re.sub(r"\{[^}]*\}", r"[^/ ?']+", path)
        assert re.search(rf"{pattern}(?![\w/])", text), f"{path} has no example"
