"""What version 0.1 left on disk still opens: a model's bundle, which serves and is measured.

``tests/trainer/data/version_0_1.zip`` holds a folder of drawings (``data``) and the model that was trained on them
(``store``); and the state of a run on them that was interrupted (``cache``), which is not resumed.
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gemello.cli import main
from tests.support import tiny_network

ARCHIVE = Path(__file__).parents[1] / "trainer" / "data" / "version_0_1.zip"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    with tiny_network.in_place_of_the_real_one():
        yield tmp_path


def run(home: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["gemello", *options, "--store", str(home / "store")])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert not exit_.value.code


def test_a_bundle_is_measured_and_compared(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = str(home / "data")
    page = home / "page.html"
    run(home, monkeypatch, "evaluate", "--model", "mine/1", "--data", data, "--report", str(page))
    assert "whitened on these images" in page.read_text()
    run(home, monkeypatch, "compare", "mine/1", "untrained:efficientnet_lite0@32", "--data", data)


def test_a_run_that_was_interrupted_begins_anew(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    few = tiny_network.arguments(
        input_size=32, dimension=16, classes=4, images_per_class=2, epochs=0
    )
    places = ("--cache", str(home / "cache"), "--name", "mine", "--resume")
    run(home, monkeypatch, "train", str(home / "data"), *places, *few)
    assert "There is no interrupted run of 'mine'" in capfd.readouterr().err
