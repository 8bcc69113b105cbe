"""``gemello train`` on small and lopsided data: a model or one sentence, never a traceback; a tiny backbone."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from app.bundle import model_store
from gemello.cli import main
from tests.support.drawings import draw, draw_classes
from tests.support.tiny_network import arguments, in_place_of_the_real_one

OPTIONS = {"input_size": 32, "dimension": 16, "epochs": 1}

Train = Callable[..., tuple[int, str]]


@pytest.fixture
def train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Train:
    """Exit code, and what was said on standard error, of a run on ``data`` with P and K by default."""

    def run(*options: str, **changes: object) -> tuple[int, str]:
        sets = arguments(**{**OPTIONS, **changes})
        folders = ("--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache"))
        data = str(tmp_path / "data")
        monkeypatch.setattr(
            "sys.argv", ["gemello", "train", data, "--name", "mine", *folders, *sets, *options]
        )
        capfd.readouterr()
        with in_place_of_the_real_one(), pytest.raises(SystemExit) as exit_:
            main()
        said = capfd.readouterr().err
        assert "Traceback" not in said
        return int(exit_.value.code or 0), said

    return run


def published(folder: Path) -> str:
    """The rung that the last version was published from."""
    manifest = model_store.resolve(folder / "store", "mine").manifest
    history = manifest.training["history"]
    return next(rung["name"] for rung in history["ladder"] if rung["published"])


def sentence(said: str) -> str:
    (line,) = [line for line in said.splitlines() if line.startswith("gemello: ")]
    return line


def test_two_classes_are_refused_unless_they_are_forced(train: Train, tmp_path: Path) -> None:
    draw_classes(tmp_path / "data", 2, 10)
    code, said = train()
    assert code == 1
    assert "too few classes to hold any out" in sentence(said)
    assert train("--force")[0] == 0
    assert published(tmp_path) == "50% fine-tuned"


def test_one_image_a_class_is_refused_in_a_sentence(train: Train, tmp_path: Path) -> None:
    draw_classes(tmp_path / "data", 30, 1)
    code, said = train()
    assert code == 1
    assert "Fewer than two classes are left" in sentence(said)


def test_thirty_images_in_six_classes(train: Train, tmp_path: Path) -> None:
    """One class each is held out, with which nothing trained is shown to be better."""
    draw_classes(tmp_path / "data", 6, 5)
    code, said = train()
    assert code == 0, said
    assert "validation: 5 images of 1 class\n" in said
    assert published(tmp_path) in ("adapted", "pretrained")


def test_one_class_of_many_images_beside_small_ones(train: Train, tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 12, 3)
    for number in range(3, 400):
        draw(5, number, 32).save(data / "class005" / f"image{number}.png")
    code, said = train()
    assert code == 0, said


def test_grey_images(train: Train, tmp_path: Path) -> None:
    for path in draw_classes(tmp_path / "data", 12, 4).rglob("*.png"):
        with Image.open(path) as image:
            grey = image.convert("L")
        grey.save(path)
    code, said = train()
    assert code == 0, said


def test_a_fifth_of_the_labels_wrong(train: Train, tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 15, 6)
    files = sorted(data.rglob("*.png"))
    for number, path in enumerate(random.Random(0).sample(files, len(files) // 5)):
        path.rename(data / f"class{number % 15:03d}" / f"wrong{number:02d}.png")
    code, said = train()
    assert code == 0, said


def test_images_that_are_all_the_same(train: Train, tmp_path: Path) -> None:
    """Byte for byte they are copies; each of another size they are different files of one picture."""
    for label in range(12):
        folder = tmp_path / "data" / f"class{label:03d}"
        folder.mkdir(parents=True)
        for number in range(3):
            Image.new("RGB", (40 + label, 40 + number), (9, 9, 9)).save(folder / f"{number}.png")
    code, said = train()
    if code:
        assert sentence(said)
