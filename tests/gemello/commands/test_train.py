"""``gemello train``, ``evaluate`` and ``rank`` as a user runs them, and refuses them."""

import json
from pathlib import Path

import pytest

from tests.support.command_line import refusal, run
from tests.support.drawings import draw_classes
from tests.support.tiny_model import publish_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, str]:
    publish_tiny(tmp_path / "store")
    return {"GEMELLO_MODEL_STORE": str(tmp_path / "store")}


def test_figures_are_printed(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = draw_classes(tmp_path / "data", 4, 3)
    printed = run("evaluate", "--model", "tiny", "--data", data, "--json", **tiny)
    assert printed.returncode == 0
    figures = json.loads(printed.stdout)
    assert {"recall@1", "recall@5", "recall@10", "map@r", "r_precision"} <= set(figures)
    assert (figures["queries"], figures["gallery"]) == (12, 12)
    table = run("evaluate", "--model", "tiny", "--data", data, **tiny)
    assert f"{figures['recall@1']:.4f}" in table.stdout


def test_rankings_are_written(tmp_path: Path, tiny: dict[str, str]) -> None:
    queries, gallery = draw_classes(tmp_path / "q", 2, 1), draw_classes(tmp_path / "g", 3, 2)
    out = tmp_path / "ranks.json"
    places = ("--queries", queries, "--gallery", gallery, "--out", out)
    (queries / "class000" / "broken.png").write_bytes(b"no image")
    done = run("rank", "--model", "tiny", *places, "--json", **tiny)
    assert done.returncode == 0
    told = json.loads(done.stdout)
    assert (told["file"], len(told["left_out"])) == (str(out), 1)
    ranks = json.loads(out.read_text())
    assert [len(entry["results"]) for entry in ranks["queries"]] == [6, 6]


def test_options_that_disagree_are_refused(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = draw_classes(tmp_path / "data", 2, 2)
    assert "--data" in refusal(run("evaluate", "--model", "tiny", **tiny))
    assert "--queries" in refusal(run("evaluate", "--data", data, "--queries", data, **tiny))
    assert "--untrained" in refusal(run("evaluate", "--backbone", "vgg16", "--data", data, **tiny))
    assert (
        "there is no model"
        in refusal(run("evaluate", "--model", "none", "--data", data, **tiny)).lower()
    )


def test_data_that_cannot_be_trained_on_is_refused(tmp_path: Path, tiny: dict[str, str]) -> None:
    def refused(data: Path, *options: str) -> str:
        return refusal(run("train", data, "--name", "x", "--cache", tmp_path, *options, **tiny))

    assert "at least two" in refused(draw_classes(tmp_path / "one", 1, 4))
    assert "KEY=VALUE" in refused(tmp_path / "one", "--set", "margin")
    assert "loss.margin: " in refused(tmp_path / "one", "--set", "loss.margin=wide")
