"""The benchmark of the service measures a real one, from a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.service import measured, photographs, serving
from tests.support.paths import ROOT


@pytest.mark.slow
def test_a_service_is_measured(tmp_path: Path) -> None:
    with serving(ROOT, tmp_path / "data") as port:
        taken = measured(port, 2, 1)
    assert taken.rate > 0
    assert 0 < taken.p50 <= taken.p99


def test_a_checkout_that_is_none_ends_with_a_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "benchmarks/service.py", "--beside", str(tmp_path / "nothing")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == f"{tmp_path / 'nothing'} is not a checkout of Gemello\n"


def test_photographs_differ() -> None:
    images = photographs(3)
    assert len(set(images)) == 3
