"""Imports point down, and what is heavy is imported only when chosen."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.paths import ROOT

LINT = Path(sys.executable).with_name("lint-imports")


def lint() -> subprocess.CompletedProcess[str]:
    command = [str(LINT), "--no-cache"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_import_contracts_are_kept() -> None:
    done = lint()
    assert done.returncode == 0, done.stdout
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("module", ["app.main", "gemello.cli"])
def test_importing_the_service_imports_no_tensorflow(module: str) -> None:
    program = (
        f"import sys, {module}\n"
        "print(sorted({'tensorflow', 'keras', 'trainer', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_nothing_is_built_at_import() -> None:
    program = (
        "import threading, app.main\n"
        "print(threading.active_count(), [t.name for t in threading.enumerate()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1 ['MainThread']\n"
