"""``gemello duplicates``."""

import json

from tests.support.command_line import run


def test_near_duplicates_are_shown(stored: str) -> None:
    done = run("duplicates", "--max-distance", 0.05, GEMELLO_URL=stored)
    assert done.returncode == 0
    assert "copy.jpg" in done.stdout
    groups = json.loads(
        run("duplicates", "--max-distance", 0.05, "--json", GEMELLO_URL=stored).stdout
    )
    assert [image["id"] for image in groups["groups"][0]["images"]] == ["c", "f"]
    assert (
        run("duplicates", "--max-distance", 0, GEMELLO_URL=stored).stdout == "No near-duplicates.\n"
    )
