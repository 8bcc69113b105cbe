"""The cost of a command is that of all it starts."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks.training.processes import measure

GROW = """
import subprocess, sys, time
mine = bytearray(b"x") * 60_000_000
subprocess.run([sys.executable, "-c", '''
import time
mine = bytearray(b"x") * 90_000_000
time.sleep(1.5)
'''], check=True)
"""
FORK = """
import os, time
mine = bytearray(b"x") * 120_000_000
for _ in range(3):
    if os.fork() == 0:
        time.sleep(1)
        os._exit(0)
for _ in range(3):
    os.wait()
"""


def test_memory_is_that_of_the_whole_tree(tmp_path: Path) -> None:
    cost = measure([sys.executable, "-c", GROW], tmp_path, os.environ)
    assert 150e6 < cost.peak_bytes < 250e6
    assert 1.5 < cost.wall_s < 30


def test_forks_share_their_parents_pages(tmp_path: Path) -> None:
    shared = measure([sys.executable, "-c", FORK], tmp_path, os.environ)
    assert 120e6 < shared.peak_bytes < 180e6


def test_a_command_that_fails_ends_the_benchmark(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="status 3"):
        measure([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, os.environ)
