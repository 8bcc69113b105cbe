"""``gemello health``."""

from pathlib import Path

from tests.support.command_line import run


def test_a_ready_service_says_what_it_serves(url: str, photos: Path) -> None:
    run("index", photos, "--url", url)
    done = run("health", "--url", url)
    assert (done.returncode, done.stdout) == (0, "ready: 4 images, model tiny/1\n")
