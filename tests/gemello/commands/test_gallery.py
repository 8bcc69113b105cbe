"""``gemello gallery``: list, show, change, fetch, count and remove stored images."""

import json
from pathlib import Path

from tests.support.command_line import refusal, run
from tests.support.images import picture


def test_images_are_listed_shown_changed_and_removed(stored: str) -> None:
    listed = run("gallery", "list", "--filter", '{"label": "shoe"}', "--json", "--url", stored)
    assert [image["id"] for image in json.loads(listed.stdout)] == ["a", "b"]
    table = run("gallery", "list", "--limit", 4, GEMELLO_URL=stored)
    assert table.returncode == 0
    assert "größe" in table.stdout
    assert "More than 4" in table.stdout
    changed = run(
        "gallery",
        "set",
        "a",
        "--label",
        "boot",
        "--metadata",
        '{"price": null}',
        GEMELLO_URL=stored,
    )
    assert "boot" in changed.stdout
    shown = run("gallery", "show", "a", GEMELLO_URL=stored)
    assert shown.stdout == changed.stdout
    assert 'metadata  {"größe": "groß"}' in shown.stdout
    assert "96 × 64, image/png" in shown.stdout
    assert run("gallery", "delete", "a", "b", GEMELLO_URL=stored).stdout == "2 removed.\n"
    asked = run("gallery", "delete", "--filter", '{"label": "hat"}', GEMELLO_URL=stored)
    assert asked.returncode == 1, "nobody answered the question"
    assert asked.stderr.endswith("gemello: cancelled; nothing was done.\n")
    done = run("gallery", "delete", "--filter", '{"label": "hat"}', "--yes", GEMELLO_URL=stored)
    assert done.stdout == "2 removed.\n"
    removed = run("gallery", "delete", "d", "--json", GEMELLO_URL=stored)
    assert json.loads(removed.stdout) == {"removed": 1}
    assert "images     1 (1 searchable)" in run("gallery", "stats", GEMELLO_URL=stored).stdout
    assert len(json.loads(run("gallery", "list", "--json", GEMELLO_URL=stored).stdout)) == 1


def test_a_picture_is_fetched_whole_or_small(stored: str, tmp_path: Path) -> None:
    out = tmp_path / "a.png"
    done = run("gallery", "image", "a", "--out", out, GEMELLO_URL=stored)
    assert (done.returncode, out.read_bytes()) == (0, picture(0))
    assert done.stdout == f"{len(picture(0)):,} bytes in {out}\n"
    small = run("gallery", "image", "a", "--out", out, "--size", 32, "--json", GEMELLO_URL=stored)
    assert json.loads(small.stdout) == {
        "id": "a",
        "file": str(out),
        "bytes": len(out.read_bytes()),
    }
    assert out.read_bytes().startswith(b"RIFF")
    nowhere = tmp_path / "none" / "a.png"
    done = run("gallery", "image", "a", "--out", nowhere, GEMELLO_URL=stored)
    assert refusal(done) == f"gemello: --out: the folder {nowhere.parent} does not exist."
