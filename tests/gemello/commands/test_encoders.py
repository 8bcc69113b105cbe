"""What a model is measured beside: the encoder that its head was trained on, without training."""

from pathlib import Path

import pytest

from app.bundle.model_store import Bundle
from app.errors import ModelNotFound
from gemello.commands.encoders import baseline_of
from gemello.commands.errors import OptionInvalid
from tests.support.drawings import draw_classes
from tests.support.tiny_model import DIMENSION, publish_tiny


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return sorted(draw_classes(tmp_path / "data", 4, 2).rglob("*.png"))


def trained_on(model: str, model_id: str, store: Path) -> Bundle:
    bundle = publish_tiny(store, "mine", offset=0.5)
    training = {"encoder": {"model": model, "model_id": model_id}}
    return Bundle(bundle.path, bundle.manifest.model_copy(update={"training": training}))


def test_it_is_whitened_on_the_images_searched(tmp_path: Path, images: list[Path]) -> None:
    base = publish_tiny(tmp_path / "store").manifest
    bundle = trained_on("tiny/1", base.model_id, tmp_path / "store")
    baseline = baseline_of(bundle, lambda: images)
    assert baseline.title == "tiny/1 without training, whitened on these images"
    assert baseline.encoder.dimension == DIMENSION
    assert baseline.encoder.model_id != base.model_id


def test_another_model_of_its_name_is_not_taken_for_it(tmp_path: Path, images: list[Path]) -> None:
    publish_tiny(tmp_path / "store")
    bundle = trained_on("tiny/1", "f" * 64, tmp_path / "store")
    with pytest.raises(OptionInvalid, match="tiny/1 is not the model any more that mine/1 was"):
        baseline_of(bundle, lambda: images)


def test_it_may_have_gone_from_the_store(tmp_path: Path, images: list[Path]) -> None:
    bundle = trained_on("tiny/1", "f" * 64, tmp_path / "store")
    with pytest.raises(ModelNotFound, match="tiny/1"):
        baseline_of(bundle, lambda: images)
