"""What version 0.1 left on disk still opens: the state of an interrupted run, and a model's bundle.

``tests/trainer/data/version_0_1.zip`` holds a folder of drawings (``data``), the state of a run on them that was
interrupted after its first epoch (``cache``), and the model that it became (``store``).
"""

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.bundle.model_store import resolve
from gemello.cli import main
from tests.support import tiny_network
from trainer.config import TrainConfig
from trainer.run import train

ARCHIVE = Path(__file__).parents[1] / "trainer" / "data" / "version_0_1.zip"
# What the run was started with.
CONFIG: TrainConfig = tiny_network.config(
    dimension=8,
    keep=0.4,
    keep_unlike=0.7,
    keep_dimension=4,
    frozen_stages=1,
    validation_fraction=0.3,
    test_fraction=0.25,
    ema=0.9,
    blend=0.8,
    serving_size=40,
    margin=0.2,
)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(tmp_path)
    with tiny_network.in_place_of_the_real_one():
        yield tmp_path


def test_an_interrupted_run_is_resumed(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    bundle = train(home / "data", "mine", CONFIG, home / "store", home / "cache", resume=True)
    assert "resuming after epoch 1" in capfd.readouterr().err
    before = resolve(home / "store", "mine/1").manifest.training["history"]
    after = bundle.manifest.training["history"]
    assert [epoch["stage"] for epoch in after["epochs"]] == ["head", "network", "network"]
    assert after["epochs"][:2] == before["epochs"][:2]
    assert after["untrained_validation_recall@1"] == before["untrained_validation_recall@1"]
    assert (
        bundle.manifest.data["content_sha256"]
        == (resolve(home / "store", "mine/1").manifest.data["content_sha256"])
    )


def run(home: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> None:
    monkeypatch.setattr("sys.argv", ["gemello", *options, "--store", str(home / "store")])
    with pytest.raises(SystemExit) as exit_:
        main()
    assert not exit_.value.code


def test_a_bundle_is_measured_and_published_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(home / "data")
    page = home / "page.html"
    run(home, monkeypatch, "evaluate", "--model", "mine/1", "--data", data, "--report", str(page))
    assert "untrained" in page.read_text()
    run(home, monkeypatch, "compare", "mine/1", "untrained:efficientnet_lite0@32", "--data", data)

    cache = str(home / "cache")
    run(home, monkeypatch, "republish", data, "--model", "mine/1", "--cache", cache)
    first, second = (resolve(home / "store", f"mine/{version}").manifest for version in "12")
    assert second.data == first.data
    assert second.training["history"] == first.training["history"]
    assert second.dimension == first.dimension
