"""The documents say what is so: README's commands run, generated pages are current, links lead."""

import re
import shlex
import subprocess
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from app.api.errors import STATUS
from app.errors import GemelloError
from tests.support.drawings import draw_classes
from tests.support.paths import ROOT
from tests.support.serving import clean_environment, free_port, in_process, wait_ready

README = (ROOT / "README.md").read_text()
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.fixture(scope="module")
def generate() -> ModuleType:
    spec = spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands(heading: str) -> list[str]:
    """The shell lines of README below a heading."""
    section = f"\n{README}".split(f"\n{heading}\n")[1].split("\n## ")[0]
    blocks = re.findall(r"```bash\n(.*?)```", section, re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


def run(command: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=ROOT,
        env=clean_environment() | environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def test_the_settings_page_is_current(generate: ModuleType) -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    assert page == generate.settings_page(), "run `make docs`"


def test_the_openapi_document_is_the_golden_one(generate: ModuleType, tiny_store: Path) -> None:
    golden = (ROOT / "docs" / "openapi.json").read_text()
    assert golden == generate.openapi_document(tiny_store, "tiny"), "run `make docs`"


def test_both_commands_come_first() -> None:
    assert commands("# Gemello")[:2] == ["make serve", "make test"]


def test_make_serve_and_the_shell_commands_of_the_readme_work(tmp_path: Path) -> None:
    port = str(free_port())
    environment = {"GEMELLO_PORT": port, "GEMELLO_DATA_DIR": str(tmp_path / "data")}
    server = subprocess.Popen(
        ["make", "serve"],
        cwd=ROOT,
        env=clean_environment() | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        import httpx

        with httpx.Client(base_url=f"http://127.0.0.1:{port}") as client:
            wait_ready(client, server)
        url = {"GEMELLO_URL": f"http://127.0.0.1:{port}"}
        lines = [*commands("# Gemello")[2:], *commands("## Find similar products")]
        assert len(lines) == 12
        for line in lines:
            if line.startswith("curl"):
                answer = run(
                    line.replace("curl", "curl --fail --silent", 1).replace("8000", port), {}
                )
                assert answer.startswith("{") or "DELETE" in line
            else:
                run(line.replace(".venv/bin/gemello", f"{sys.executable} -m gemello"), url)
    finally:
        import os
        import signal

        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=30)


@pytest.mark.slow
def test_the_training_commands_of_the_readme_work(tmp_path: Path) -> None:
    """On drawings, and a few steps, in place of the emoji and the whole run."""
    drawn = draw_classes(tmp_path / "train", 8, 3)
    places = {
        ".venv/bin/gemello": f"{shlex.quote(sys.executable)} -m gemello",
        "examples/emoji/data/train": str(drawn),
        "examples/emoji/data/test/queries": str(draw_classes(tmp_path / "q", 3, 1, first=50)),
        "examples/emoji/data/test/gallery": str(draw_classes(tmp_path / "g", 3, 2, first=50)),
    }
    environment = {
        "GEMELLO_MODEL_STORE": str(tmp_path / "store"),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }
    lines = commands("## Train your own")
    assert lines[:2] == ["make setup-train", ".venv/bin/python examples/emoji/fetch.py"]
    assert lines[4] == "GEMELLO_MODEL=mine .venv/bin/gemello serve"
    for line in (lines[2], lines[3], lines[5]):
        command = line
        for written, place in places.items():
            command = command.replace(written, place)
        if " train " in command:
            command += " --epochs 1 --set network.input_size=64"
        printed = run(command, environment)
        if " evaluate " in command:
            assert "recall@1" in printed
    served = {
        **environment,
        "GEMELLO_MODEL": "mine",
        "GEMELLO_DATA_DIR": str(tmp_path / "data"),
        "GEMELLO_SAMPLE_GALLERY": "0",
    }
    with in_process(served) as (_, url):
        assert url


def test_every_error_code_is_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text()
    codes = {kind.code for kind in STATUS if kind.code not in {"image_invalid", "error"}}
    family = {"model_error", "import_failed"}
    assert {code for code in codes - family if f"`{code}`" not in operations} == set()
    assert issubclass(next(iter(STATUS)), GemelloError)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target
