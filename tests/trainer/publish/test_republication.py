"""``gemello republish``: the same weights at another size, with another share, measured anew."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.bundle import model_store
from app.bundle.runtimes import load_encoder
from app.images.prepare import prepare_file
from gemello.cli import main
from tests.support import tiny_network
from tests.support.drawings import draw_classes
from trainer.errors import ConfigError
from trainer.publish.republication import changed
from trainer.run import train

Republish = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Holds ``mine/1``, trained on the folder ``data`` beside it."""
    folder = tmp_path_factory.mktemp("republish")
    config = tiny_network.config(
        keep=0.4,
        keep_unlike=0.7,
        keep_dimension=8,
        frozen_stages=1,
        validation_fraction=0.3,
        test_fraction=0.2,
        single_images=0.3,
    )
    data = draw_classes(folder / "data", 20, 4)
    with tiny_network.in_place_of_the_real_one():
        train(data, "mine", config, folder / "store", folder / "cache")
        yield folder / "store"


@pytest.fixture
def republish(
    store: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Republish:
    def run(*changes: str, data: str = "data") -> tuple[int, str, str]:
        sets = [part for change in changes for part in ("--set", change)]
        options = ["--model", "mine", "--store", str(store), "--cache", str(store.parent / "cache")]
        monkeypatch.setattr(
            "sys.argv", ["gemello", "republish", str(store.parent / data), *options, *sets]
        )
        capfd.readouterr()
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capfd.readouterr()
        return int(exit_.value.code or 0), out, err

    return run


def embeddings(store: Path, version: str) -> np.ndarray:
    bundle = model_store.resolve(store, f"mine/{version}")
    size = bundle.manifest.input_size
    files = sorted((store.parent / "data").rglob("*.png"))[:12]
    return load_encoder(bundle).embed(np.stack([prepare_file(f, size).pixels for f in files]))


def test_the_same_weights_are_published_with_another_share_and_size(
    republish: Republish, store: Path
) -> None:
    code, out, err = republish("publish.serving_keep_unlike=0.95")
    assert code == 0, err
    assert "published mine/2" in out
    assert "epoch" not in err, "nothing is trained"
    first, second = (model_store.resolve(store, f"mine/{v}").manifest for v in "12")
    assert second.training["config"]["publish"]["serving_keep_unlike"] == 0.95
    assert second.training["history"] == first.training["history"]
    assert second.data == first.data
    assert second.model_id != first.model_id
    assert second.evaluation is not None
    assert "calibrating" in err
    assert (store / "mine" / "2" / "report" / "index.html").is_file()

    before, after = (embeddings(store, version) for version in "12")
    shares = [np.square(vectors[:, 16:]).sum(axis=1) for vectors in (before, after)]
    assert shares[1] == pytest.approx(0.4 + (shares[0] - 0.4) * 0.55 / 0.3, abs=1e-3)
    trained = [
        vectors[:, :16] / np.linalg.norm(vectors[:, :16], axis=1)[:, None]
        for vectors in (before, after)
    ]
    assert np.einsum("nd,nd->n", *trained).min() > 0.999, "the trained part is the same"

    code, out, err = republish("publish.serving_size=48")
    assert code == 0, err
    third = model_store.resolve(store, "mine/3").manifest
    assert (third.input_size, first.input_size) == (48, tiny_network.SIZE)
    assert embeddings(store, "3").shape == before.shape


def test_nothing_that_needs_training_can_change(republish: Republish, store: Path) -> None:
    before = model_store.versions(store, "mine")
    code, out, err = republish("loss.margin=0.2")
    assert (code, out) == (1, "")
    assert err == (
        "gemello: loss.margin cannot change without training again; "
        "publish.serving_keep_unlike and publish.serving_size can.\n"
    )
    with pytest.raises(ConfigError, match="serving_size"):
        changed(model_store.resolve(store, "mine"), {"publish.serving_size": "none"})
    assert model_store.versions(store, "mine") == before


def test_other_images_than_the_trained_ones_are_refused(republish: Republish, store: Path) -> None:
    before = model_store.versions(store, "mine")
    draw_classes(store.parent / "other", 19, 4)
    code, _, err = republish("publish.serving_size=48", data="other")
    assert code == 1
    assert err.splitlines()[-1].startswith("gemello: ")
    assert re.search(r"does not hold the images that mine/\d was trained with", err)
    assert model_store.versions(store, "mine") == before
