"""``gemello duplicates``."""

import json

import pytest

from app.api.routes import duplicates as routes
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


def test_the_beginning_of_a_large_group_says_how_large_it_is(
    stored: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routes, "_MEMBERS", 1)
    done = run("duplicates", "--max-distance", 0.05, GEMELLO_URL=stored)
    assert "… 2 in all" in done.stdout
    assert "copy.jpg" not in done.stdout
