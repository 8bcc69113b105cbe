"""``gemello gallery export`` and ``import``."""

import json
import zipfile
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
    assert refusal(done) == (
        f"gemello: {tmp_path / 'text.zip'} is not an exported gallery: it is not a zip archive, or its "
        "table of contents is broken."
    )


def test_hardening_a_hostile_file_is_one_sentence(stored: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("gallery.json", '{"format_version": 1, "model": "m", "images": 1}')
        archive.writestr("images.jsonl", "[" * 900_000)
    done = run("gallery", "import", path, "--url", stored)
    sentence = f"gemello: {path} is damaged: line 1 of images.jsonl describes no image."
    # Above it stands the progress bar.
    assert (done.returncode, done.stdout, done.stderr.splitlines()[-1]) == (1, "", sentence)
    assert "Traceback" not in done.stderr
