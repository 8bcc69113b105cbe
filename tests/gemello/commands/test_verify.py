"""``gemello verify``."""

import json
from pathlib import Path

from tests.support.command_line import run
from tests.support.data_folders import blob, filled


def test_it_says_what_is_damaged(tmp_path: Path) -> None:
    filled(tmp_path)
    done = run("verify", "--data-dir", tmp_path)
    assert (done.returncode, done.stdout) == (0, f"{tmp_path}: nothing is damaged.\n")
    blob(tmp_path, 1).write_bytes(b"spoilt")
    done = run("verify", "--data-dir", tmp_path)
    assert (done.returncode, done.stdout) == (1, f"{tmp_path}: 1 damaged.\n")
    assert "image b: its file has been altered" in done.stderr
    done = run("verify", "--json", GEMELLO_DATA_DIR=str(tmp_path))
    expected = {
        "kind": "image",
        "item": "b",
        "problem": "its file has been altered",
        "mended": False,
    }
    assert (done.returncode, json.loads(done.stdout)) == (1, {"damage": [expected]})


def test_a_folder_that_holds_nothing_is_named(tmp_path: Path) -> None:
    done = run("verify", "--data-dir", tmp_path / "none")
    assert done.returncode == 1
    assert "database gallery.sqlite3: it is missing or empty" in done.stderr
    assert not (tmp_path / "none").exists()
