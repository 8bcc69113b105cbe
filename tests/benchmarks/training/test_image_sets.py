"""What is asked for was not trained on."""

from pathlib import Path

import pytest

from app.testing import FakeEncoder
from benchmarks.training import image_sets
from tests.support.drawings import draw_classes


def test_a_set_is_asked_for_classes_that_it_does_not_train_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_sets, "_TEST", tmp_path)
    monkeypatch.setattr(image_sets, "_MOST", 12)
    draw_classes(tmp_path / "clothing" / "train", 8, 5)
    clothing = image_sets.SETS["clothing"]()
    trained = {record.label for record in clothing.train}
    assert len(trained) == 4
    assert len(clothing.train) == 12, "as many of each class"
    asked = clothing.ask(FakeEncoder())
    assert not trained & set(asked.labels.tolist())
    assert len(asked.labels) == 4 * 3
    again = image_sets.SETS["clothing"]()
    assert clothing.train == again.train


def test_missing_images_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_sets, "_TEST", tmp_path)
    with pytest.raises(SystemExit, match="stamps is missing; "):
        image_sets.SETS["cut-out photographs"]()
