"""The tests mirror the tree: the test of a file is where one looks for it."""

from pathlib import Path

import pytest

from tests.support.paths import ROOT

PACKAGES = ["app", "trainer", "gemello"]


def modules_of(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.py")} | {
        path.name for path in folder.iterdir() if path.is_dir()
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_every_test_file_stands_beside_what_it_tests(package: str) -> None:
    """``tests/app/index/test_flat.py``, or ``test_flat_….py``, tests ``app/index/flat.py``."""
    strays = []
    for path in (ROOT / "tests" / package).rglob("test_*.py"):
        if "contract" in path.parts:
            continue
        folder = ROOT / path.parent.relative_to(ROOT / "tests")
        name = path.stem.removeprefix("test_")
        modules = modules_of(folder) if folder.is_dir() else set()
        if not any(name == module or name.startswith(f"{module}_") for module in modules):
            strays.append(str(path.relative_to(ROOT)))
    assert strays == []


@pytest.mark.parametrize("package", [*PACKAGES, "benchmarks", "tests"])
def test_no_file_is_longer_than_anyone_would_read(package: str) -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in (ROOT / package).rglob("*.py")
    }
    assert {path: count for path, count in lengths.items() if count > 300} == {}


def test_few_files_lie_directly_in_the_service() -> None:
    assert len(list((ROOT / "app").glob("*.py"))) <= 6
