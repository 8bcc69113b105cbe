"""``python -m gemello`` in a folder that holds packages of the user's own."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gemello.__main__ import HOME, import_path
from tests.support.images import picture
from tests.support.serving import clean_environment, free_port, wait_ready


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with an ``app`` and a ``trainer`` that must not be imported, and an image."""
    for name in ("app", "trainer"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    (tmp_path / "query.png").write_bytes(picture(1))
    return tmp_path


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gemello", *arguments],
        cwd=folder,
        env={**clean_environment(), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_search_works(folder: Path, url: str) -> None:
    with start(folder, "search", "query.png", "--url", url) as process:
        out, err = process.communicate()
    assert (process.returncode, out, err) == (0, "The gallery is empty.\n", "")


def test_the_service_starts(folder: Path, tiny_store: Path) -> None:
    port = str(free_port())
    settings = {
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_SAMPLE_GALLERY": "0",
        "GEMELLO_DATA_DIR": str(folder / "data"),
    }
    with start(folder, "serve", "--port", port, **settings) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
                wait_ready(client)
        finally:
            process.terminate()
            process.communicate()


def test_the_current_folder_goes_and_ours_stays() -> None:
    assert import_path(["/here", "/lib", HOME], "/here") == ["/lib", HOME]
    assert import_path(["", "/lib", HOME], "/here") == ["/lib", HOME]
    assert import_path(["/lib", HOME], "/here") == ["/lib", HOME]
    # In the container the current folder is ours, and nothing else leads to it.
    assert import_path([HOME, "/lib"], HOME) == ["/lib", HOME]
