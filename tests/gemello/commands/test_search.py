"""``gemello search``: the table, the JSON, and every option."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import refusal, run
from tests.support.images import picture


@pytest.fixture
def indexed(url: str, photos: Path) -> str:
    assert run("index", photos, "--url", url).returncode == 0
    return url


def test_the_nearest_images_are_shown(indexed: str, photos: Path) -> None:
    url = ("--url", indexed)
    found = run("search", photos / "cats/a.png", "-k", 2, "--json", *url)
    results = json.loads(found.stdout)["results"]
    assert [results[0]["filename"], len(results)] == ["a.png", 2]
    table = run("search", photos / "cats/a.png", GEMELLO_URL=indexed)
    assert table.returncode == 0
    assert "a.png" in table.stdout
    assert "0.0000" in table.stdout
    rows = [line.split() for line in table.stdout.splitlines() if ".png " in line][1:]
    assert [row.count("yes") for row in rows] == [1, 0, 0, 0]
    assert [row.count("no") for row in rows] == [0, 1, 1, 1]
    assert "100%" in table.stdout
    assert "No match" not in table.stdout
    (photos / "stranger.png").write_bytes(picture(113))
    nothing = run("search", photos / "stranger.png", *url)
    assert nothing.stdout.startswith("No match: images that do not match come as near")
    assert nothing.stdout.count(".png") == 5, "the query and the four images"


def test_a_search_takes_every_option(stored: str, tmp_path: Path) -> None:
    query = tmp_path / "query.png"
    query.write_bytes(picture(2))

    def found(*options: object) -> list[str]:
        done = run("search", *options, "--json", GEMELLO_URL=stored)
        assert done.returncode == 0, done.stderr
        return [result["id"] for result in json.loads(done.stdout)["results"]]

    assert found(query, "-k", 2) == ["c", "f"]
    assert found(query, "--filter", '{"label": "shoe"}', "--group-by", "label")[:1] in (
        ["a"],
        ["b"],
    )
    assert found("--id", "c", "-k", 1) == ["f"]
    assert found(query, "--max-distance", 0.001) == ["c"]
    assert found(query, "--min-score", 0.9) == ["c", "f"]
    assert found(query, "--box", "0,0,1,1", "--flip", "-k", 1) == ["c"]
    assert "a" not in found(query, "--unlike", query)[1:1]
    nothing = run("search", query, "--filter", '{"label": "x"}', GEMELLO_URL=stored)
    assert nothing.stdout == "No image satisfies the filter.\n"
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(picture(113))
    none = run("search", stranger, "--min-score", 0.99, GEMELLO_URL=stored)
    assert (none.returncode, none.stdout) == (0, "No match.\n")


def test_searching_an_empty_gallery_says_so(url: str, photos: Path) -> None:
    done = run("search", photos / "top.png", "--url", url)
    assert (done.returncode, done.stdout) == (0, "The gallery is empty.\n")
    (photos / "text.png").write_text("no image")
    done = run("search", photos / "text.png", "--url", url)
    assert "not an image" in refusal(done)
