"""``pip install .`` elsewhere: the client and the command line alone, with types, and no more.

The environment holds what the wheel's metadata asks for, copied from here, so that nothing is fetched.
"""

import json
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import httpx
import pytest
from packaging.requirements import Requirement

from app.config import Settings
from gemello import __version__
from gemello.cli import COMMANDS
from tests.support.command_line import Done
from tests.support.images import picture
from tests.support.paths import ROOT
from tests.support.serving import clean_environment, in_thread

pytestmark = pytest.mark.slow

HERE = Path(sys.executable).parent
SCRIPT = """
from pathlib import Path
from gemello import Client

with Client("URL") as client:
    (item,) = client.add([Path("cat.png")], labels=["cat"])
    answer = client.search(Path("cat.png"), top_k=1)
    nearest = answer.results[0]
    print(item.status, nearest.label, round(nearest.distance, 3))
"""


@dataclass(frozen=True)
class Installed:
    """A virtual environment with the wheel and what it asks for, and a folder to work in."""

    home: Path
    folder: Path

    @property
    def packages(self) -> Path:
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        return self.home / "lib" / version / "site-packages"

    def run(self, program: str, *arguments: object) -> Done:
        return run(self.home / "bin" / program, *arguments, cwd=self.folder)


def run(*command: object, cwd: Path) -> Done:
    environment = {**clean_environment(), "COLUMNS": "200"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def requirements(package: Distribution) -> set[str]:
    """The names of what a distribution needs on this machine, without its extras."""
    needed = [Requirement(line) for line in package.requires or ()]
    return {each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})}


def copy_with_requirements(name: str, target: Path, done: set[str]) -> None:
    if name in done:
        return
    done.add(name)
    package = distribution(name)
    for file in package.files or ():
        if ".." not in file.parts and "__pycache__" not in file.parts:
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file.locate(), target / file)
    for other in requirements(package):
        copy_with_requirements(other, target, done)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    done = run(HERE / "hatchling", "build", "--target", "wheel", "--directory", folder, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    installed = Installed(tmp_path_factory.mktemp("venv"), tmp_path_factory.mktemp("folder"))
    venv.create(installed.home, symlinks=True)
    python = installed.home / "bin" / "python"
    pip = (HERE / "python", "-m", "pip", "--python", python, "install", "--quiet")
    done = run(*pip, "--no-deps", "--no-index", wheel, cwd=installed.folder)
    assert done.returncode == 0, done.stderr
    (package,) = Distribution.discover(name="gemello", path=[str(installed.packages)])
    copied: set[str] = set()
    for name in requirements(package):
        copy_with_requirements(name, installed.packages, copied)
    (installed.folder / "cat.png").write_bytes(picture(1))
    return installed


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, tiny_store: Path) -> Iterator[httpx.Client]:
    settings = Settings(
        data_dir=tmp_path_factory.mktemp("data") / "data",
        model_store=tiny_store,
        model="tiny",
        sample_gallery=False,
    )
    with in_thread(settings) as client:
        yield client


def test_the_wheel_brings_one_package_and_asks_for_three(wheel: Path) -> None:
    names = ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {"gemello", f"gemello-{__version__}.dist-info"}
    assert "gemello/py.typed" in names
    metadata = ZipFile(wheel).read(f"gemello-{__version__}.dist-info/METADATA").decode()
    needs = re.findall(r"^Requires-Dist: ([\w-]+)", metadata, re.MULTILINE)
    assert needs == ["httpx", "rich", "typer"]


def test_the_help_has_every_command(installed: Installed) -> None:
    text = installed.run("gemello", "--help").stdout
    for name in COMMANDS:
        assert re.search(rf"^│ {name} ", text, re.MULTILINE), name
    assert installed.run("gemello", "--version").stdout == f"{__version__}\n"


def test_a_folder_is_indexed_and_searched(installed: Installed, service: httpx.Client) -> None:
    photos = installed.folder / "photos" / "dogs"
    photos.mkdir(parents=True)
    (photos / "dog.png").write_bytes(picture(2))
    url = ("--url", service.base_url)
    done = installed.run("gemello", "index", "photos", "--json", *url)
    assert json.loads(done.stdout)["created"] == 1, done.stderr
    done = installed.run("gemello", "search", photos / "dog.png", "--json", *url)
    result = json.loads(done.stdout)["results"][0]
    assert (result["label"], result["filename"]) == ("dogs", "dog.png")


def test_a_program_works_and_its_types_are_checked(
    installed: Installed, service: httpx.Client
) -> None:
    program = SCRIPT.replace("URL", str(service.base_url))
    for name, text in {
        "good.py": program,
        "attribute.py": program.replace("nearest.label", "nearest.lable"),
        "option.py": program.replace("top_k=1", "topk=1"),
        "type.py": program.replace("top_k=1", 'top_k="1"'),
    }.items():
        (installed.folder / name).write_text(text)
    done = installed.run("python", "good.py")
    assert (done.stdout, done.stderr) == ("created cat 0.0\n", "")
    options = ("--strict", "--python-executable", installed.home / "bin" / "python")

    def mypy(name: str) -> Done:
        cache = ("--cache-dir", installed.folder / "cache")
        return run(HERE / "mypy", *options, *cache, name, cwd=installed.folder)

    checked = mypy("good.py")
    assert checked.returncode == 0, checked.stdout
    assert '"Result" has no attribute "lable"' in mypy("attribute.py").stdout
    assert 'Unexpected keyword argument "topk"' in mypy("option.py").stdout
    assert 'incompatible type "str"; expected "int"' in mypy("type.py").stdout


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("serve", ()),
        ("train", ("photos", "--name", "mine")),
        ("evaluate", ("--data", "photos")),
        ("compare", ("a", "b", "--data", "photos")),
        ("rank", ("--queries", "photos", "--gallery", "photos", "--out", "ranks.json")),
        ("report", ("mine",)),
        ("models list", ()),
        ("models show", ()),
        ("models verify", ()),
        ("models set-default", ("mine/1",)),
    ],
)
@pytest.mark.parametrize("own_app", [False, True])
def test_what_needs_a_clone_says_so(
    installed: Installed, command: str, arguments: tuple[str, ...], own_app: bool
) -> None:
    (installed.folder / "photos").mkdir(exist_ok=True)
    if own_app:
        (installed.folder / "app").mkdir(exist_ok=True)
        (installed.folder / "app" / "__init__.py").write_text("raise RuntimeError")
    done = installed.run("python", "-m", "gemello", *command.split(), *arguments)
    assert (done.returncode, done.stdout) == (1, ""), done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert done.stderr.startswith(f"gemello: `gemello {command}` runs from a clone")
