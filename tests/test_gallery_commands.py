"""The commands that look at and change a running service, and what they say when misused."""

import json
from pathlib import Path

import httpx
import pytest

from tests.support.images import picture
from tests.support.serving import free_port
from tests.test_commands import refusal, run


@pytest.fixture
def url(server: httpx.Client) -> str:
    files = [("images", (f"{i}.png", picture(i))) for i in range(5)]
    files.append(("images", ("copy.jpg", picture(2, "JPEG", quality=80))))
    data = {
        "ids": json.dumps(["a", "b", "c", "d", "e", "f"]),
        "labels": json.dumps(["shoe", "shoe", "hat", None, None, "hat"]),
        "metadata": json.dumps([{"price": i, "größe": "groß"} for i in range(6)]),
    }
    assert server.post("/gallery", files=files, data=data).status_code == 201
    return str(server.base_url)


def test_images_are_listed_shown_changed_and_removed(url: str) -> None:
    listed = run("gallery", "list", "--filter", '{"label": "shoe"}', "--json", "--url", url)
    assert [image["id"] for image in json.loads(listed.stdout)] == ["a", "b"]
    table = run("gallery", "list", "--limit", 4, GEMELLO_URL=url)
    assert table.returncode == 0
    assert "größe" in table.stdout
    assert "More than 4" in table.stdout
    changed = run(
        "gallery", "set", "a", "--label", "boot", "--metadata", '{"price": null}', GEMELLO_URL=url
    )
    assert "boot" in changed.stdout
    shown = run("gallery", "show", "a", GEMELLO_URL=url)
    assert shown.stdout == changed.stdout
    assert 'metadata  {"größe": "groß"}' in shown.stdout
    assert "96 × 64, image/png" in shown.stdout
    assert run("gallery", "delete", "a", "b", GEMELLO_URL=url).stdout == "2 removed.\n"
    asked = run("gallery", "delete", "--filter", '{"label": "hat"}', GEMELLO_URL=url)
    assert asked.returncode == 1, "nobody answered the question"
    assert asked.stderr.endswith("gemello: given up; nothing was done.\n")
    done = run("gallery", "delete", "--filter", '{"label": "hat"}', "--yes", GEMELLO_URL=url)
    assert done.stdout == "2 removed.\n"
    removed = run("gallery", "delete", "d", "--json", GEMELLO_URL=url)
    assert json.loads(removed.stdout) == {"removed": 1}
    assert "images  1, of which 1 can be found" in run("gallery", "stats", GEMELLO_URL=url).stdout
    assert len(json.loads(run("gallery", "list", "--json", GEMELLO_URL=url).stdout)) == 1


def test_a_search_takes_every_option(url: str, tmp_path: Path) -> None:
    query = tmp_path / "query.png"
    query.write_bytes(picture(2))

    def found(*options: object) -> list[str]:
        done = run("search", *options, "--json", GEMELLO_URL=url)
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
    nothing = run("search", query, "--filter", '{"label": "x"}', GEMELLO_URL=url)
    assert nothing.stdout == "No image satisfies the filter.\n"
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(picture(113))
    none = run("search", stranger, "--min-score", 0.99, GEMELLO_URL=url)
    assert (none.returncode, none.stdout) == (0, "No match.\n")


def test_near_duplicates_are_shown(url: str) -> None:
    done = run("duplicates", "--max-distance", 0.05, GEMELLO_URL=url)
    assert done.returncode == 0
    assert "copy.jpg" in done.stdout
    groups = json.loads(run("duplicates", "--max-distance", 0.05, "--json", GEMELLO_URL=url).stdout)
    assert [image["id"] for image in groups["groups"][0]["images"]] == ["c", "f"]
    assert run("duplicates", "--max-distance", 0, GEMELLO_URL=url).stdout == "No near-duplicates.\n"


def test_a_model_is_activated_and_its_job_can_be_looked_at(url: str) -> None:
    done = run("models", "activate", "tiny/1", GEMELLO_URL=url)
    assert (done.returncode, done.stdout) == (0, "succeeded, 6 done, 0 failed\n")
    (job,) = json.loads(run("jobs", "list", "--json", GEMELLO_URL=url).stdout)
    assert job["kind"] == "activate_model"
    shown = run("jobs", "show", job["id"], GEMELLO_URL=url).stdout
    assert "6 of 6" in shown
    assert '{"model": "tiny/1"}' in shown
    assert "succeeded" in run("jobs", "list", GEMELLO_URL=url).stdout
    waited = run("jobs", "wait", job["id"], "--json", GEMELLO_URL=url)
    assert (waited.returncode, json.loads(waited.stdout)["done"]) == (0, 6)
    assert run("jobs", "cancel", job["id"], GEMELLO_URL=url).stdout == "succeeded\n"
    started = run("models", "activate", "tiny/1", "--no-wait", GEMELLO_URL=url)
    assert len(started.stdout.strip()) == 32


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("gallery", "show", "none"), "no image with the id 'none'"),
        (("gallery", "delete", "none"), "no image with the id 'none'"),
        (("gallery", "list", "--filter", '{"a": {"above": 1}}'), "no operator"),
        (("jobs", "show", "none"), "no job with the id 'none'"),
        (("models", "activate", "tiny/9"), "no model 'tiny/9'"),
        (("search", "--id", "none"), "no image with the id 'none'"),
    ],
)
def test_what_the_service_refuses_is_one_sentence(
    url: str, arguments: tuple[str, ...], told: str
) -> None:
    done = run(*arguments, GEMELLO_URL=url)
    assert done.returncode == 1
    assert told in refusal(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ("gallery", "list", "--filter", "x"),
        ("gallery", "list", "--filter", "[]"),
        ("gallery", "delete"),
        ("gallery", "delete", "a", "--filter", "{}"),
        ("gallery", "set", "a", "--metadata", "[]"),
        ("gallery", "image", "a"),
        ("search",),
        ("search", "--id", "a", "--box", "1,2"),
        ("models", "activate", "tiny"),
    ],
)
def test_a_misused_command_says_how_it_is_used(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert f"`gemello {arguments[0]}" in done.stderr
    assert done.stderr.endswith("--help` has what can be given.\n")


@pytest.mark.parametrize(
    "command",
    [
        ("gallery", "list"),
        ("gallery", "show", "a"),
        ("gallery", "export", "never.zip"),
        ("duplicates",),
        ("jobs", "list"),
        ("models", "activate", "tiny/1"),
    ],
)
def test_nobody_there_is_one_sentence(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, GEMELLO_URL=f"http://127.0.0.1:{free_port()}")
    assert done.returncode == 1
    assert "No Gemello answers at" in refusal(done)


@pytest.mark.parametrize(
    "command",
    [
        ("gallery", "list"),
        ("gallery", "show"),
        ("gallery", "set"),
        ("gallery", "image"),
        ("gallery", "stats"),
        ("gallery", "delete"),
        ("gallery", "export"),
        ("gallery", "import"),
        ("duplicates",),
        ("jobs", "list"),
        ("jobs", "show"),
        ("jobs", "wait"),
        ("jobs", "cancel"),
        ("models", "activate"),
        ("search",),
    ],
)
def test_help_has_an_example(command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert f"gemello {' '.join(command)}" in done.stdout.partition("Example")[2]
