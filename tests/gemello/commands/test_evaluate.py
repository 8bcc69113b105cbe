"""``gemello evaluate --report`` and ``gemello compare`` as a user runs them, and refuses them."""

import json
import os
from pathlib import Path

import pytest

from tests.support.command_line import refusal, run
from tests.support.drawings import draw_classes
from tests.support.tiny_model import publish_tiny


@pytest.fixture
def tiny(tmp_path: Path) -> dict[str, str]:
    publish_tiny(tmp_path / "store")
    publish_tiny(tmp_path / "store", offset=9.0)
    return {"GEMELLO_MODEL_STORE": str(tmp_path / "store")}


def test_a_report_is_written_for_any_model(tmp_path: Path, tiny: dict[str, str]) -> None:
    """The tiny model's backbone cannot be had untrained, and the report does without."""
    data, page = draw_classes(tmp_path / "data", 5, 3), tmp_path / "report.html"
    (data / "class000" / "broken.png").write_bytes(b"no image")
    (data / "class001" / "copy.png").write_bytes((data / "class001/image00.png").read_bytes())
    done = run("evaluate", "--model", "tiny", "--data", data, "--report", page, **tiny)
    assert done.returncode == 0, done.stderr
    assert f"wrote {page}" in done.stdout.replace("\n", "")
    assert "no untrained backbone beside the model" in done.stderr
    written = page.read_text()
    assert "tiny/2 on data" in written
    assert "class000/broken.png" in written
    assert "class001/copy.png = class001/image00.png, byte for byte" in written
    assert "Up to distance 0.400" in written


def test_queries_and_gallery_in_one_folder(tmp_path: Path, tiny: dict[str, str]) -> None:
    test = tmp_path / "test"
    queries, gallery = draw_classes(test / "queries", 4, 2), draw_classes(test / "gallery", 5, 3)
    (queries / "class000" / os.fsdecode(b"br\xff.png")).write_bytes(b"no image")
    done = run("evaluate", "--model", "tiny", "--data", test, "--json", **tiny)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert (figures["queries"], figures["gallery"]) == (8, 15)
    assert figures["protocol"] == "every image of queries searched in gallery"
    low, high = figures["intervals"]["recall@1"]
    assert low <= figures["recall@1"] <= high
    places = ("--queries", queries, "--gallery", gallery)
    again = run("evaluate", "--model", "tiny", *places, "--json", **tiny)
    assert again.returncode == 0
    assert json.loads(again.stdout) == figures


def test_two_models_are_compared(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = draw_classes(tmp_path / "data", 6, 3)
    page = tmp_path / "c.html"
    places = ("--data", data, "--json", "--report", page)
    done = run("compare", "tiny/1", "tiny/2", *places, **tiny)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["models"] == ["tiny/1", "tiny/2"]
    assert "is better" in found["conclusion"] or "No difference" in found["conclusion"]
    change = found["figures"]["recall@1"]
    gain = change["second"]["value"] - change["first"]["value"]
    assert change["difference"]["value"] == pytest.approx(gain, abs=2e-4)
    assert 0 < change["difference"]["p_value"] <= 1
    assert "Found by tiny/2, missed by tiny/1" in page.read_text()
    alone = run("evaluate", "--model", "tiny/1", "--data", data, "--json", **tiny)
    assert alone.returncode == 0
    assert json.loads(alone.stdout)["recall@1"] == change["first"]["value"]

    same = run("compare", "tiny", "tiny/2", "--data", data, **tiny)
    assert "No difference shown between tiny/2 and tiny/2" in same.stdout


@pytest.mark.slow
def test_untrained_backbones_are_compared_and_reported(
    tmp_path: Path, tiny: dict[str, str]
) -> None:
    data, page = draw_classes(tmp_path / "data", 3, 2), tmp_path / "u.html"
    name = "untrained:efficientnet_lite0@32"
    done = run("compare", "tiny", name, "--data", data, "--report", page, **tiny)
    assert done.returncode == 0, done.stderr
    assert "untrained efficientnet_lite0 at 32 px, whitened on these images" in page.read_text()
    chosen = ("--backbone", "efficientnet_lite0", "--untrained", "--input-size", 32)
    done = run("evaluate", *chosen, "--data", data, "--report", page, **tiny)
    assert done.returncode == 0, done.stderr
    title = "untrained efficientnet_lite0 at 32 px, whitened on these images"
    assert f"{title}: recall@1" in page.read_text()
    assert title in done.stdout


def test_files_that_cannot_be_written_are_refused_first(
    tmp_path: Path, tiny: dict[str, str]
) -> None:
    data = draw_classes(tmp_path / "data", 2, 2)
    commands = (("evaluate", "--model", "tiny"), ("compare", "tiny/1", "tiny/2"))
    for command in commands:

        def refused(*options: object, command: tuple[str, ...] = command) -> str:
            return refusal(run(*command, "--data", data, *options, **tiny))

        assert "must end in .html" in refused("--report", tmp_path / "report.pdf")
        missing = refused("--report", tmp_path / "none" / "report.html")
        assert f"the folder {tmp_path / 'none'} does not exist" in missing


def test_wrong_models_and_data_are_refused(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = draw_classes(tmp_path / "data", 2, 2)
    (tmp_path / "empty").mkdir()

    def refused(*arguments: object) -> str:
        return refusal(run("compare", *arguments, **tiny))

    assert "no model 'none'" in refused("tiny", "none", "--data", data)
    assert "not an input size" in refused("tiny", "untrained:vgg16@wide", "--data", data)
    assert "--data" in refused("tiny", "tiny/1")
    assert "--data" in refused("tiny", "tiny/1", "--data", data, "--queries", data)
    assert "does not exist" in refused("tiny", "tiny/1", "--data", tmp_path / "none")
    assert "no images in class folders" in refused("tiny", "tiny/1", "--data", tmp_path / "empty")
    singles = draw_classes(tmp_path / "singles", 3, 1)
    done = run("compare", "tiny", "tiny/1", "--data", singles, **tiny)
    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing to measure" in done.stderr


@pytest.mark.slow
def test_unknown_backbones_are_refused(tmp_path: Path, tiny: dict[str, str]) -> None:
    data = draw_classes(tmp_path / "data", 2, 2)
    done = run("compare", "tiny", "untrained:resnet9000", "--data", data, **tiny)
    assert (done.returncode, done.stdout) == (1, "")
    assert "backbone" in done.stderr
