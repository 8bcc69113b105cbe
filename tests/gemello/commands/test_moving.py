"""``gemello gallery export`` and ``import``."""

import json
from pathlib import Path

from app.config import Settings
from tests.support.command_line import refusal, run
from tests.support.serving import in_thread


def test_the_commands_say_what_they_did(stored: str, settings: Settings, tmp_path: Path) -> None:
    target = tmp_path / "gallery.zip"
    done = run("gallery", "export", target, "--url", stored)
    assert (done.returncode, done.stdout) == (0, f"6 images in {target}\n")
    fresh = settings.model_copy(update={"data_dir": tmp_path / "fresh"})
    with in_thread(fresh) as other:
        done = run("gallery", "import", target, "--url", other.base_url)
        assert (done.returncode, done.stdout) == (0, "6 created.\n")
        done = run("gallery", "import", target, "--on-conflict", "error", "--url", other.base_url)
        assert (done.returncode, done.stdout) == (1, "6 failed.\n")
        assert "a: The gallery already holds" in done.stderr
        done = run("gallery", "import", target, "--json", "--url", other.base_url)
        assert (done.returncode, json.loads(done.stdout)) == (0, {"skipped": 6})


def test_what_cannot_be_read_is_refused(stored: str, tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("text")
    done = run("gallery", "import", tmp_path / "text.zip", "--url", stored)
    assert refusal(done) == f"gemello: {tmp_path / 'text.zip'} is not an exported gallery."
