"""``gemello train`` on data that people have, and with settings that cannot work; a tiny backbone."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.bundle import model_store
from gemello.cli import main
from tests.support.drawings import draw_classes
from tests.support.tiny_network import arguments, in_place_of_the_real_one

OPTIONS = {
    "input_size": 32,
    "dimension": 16,
    "classes": 4,
    "images_per_class": 2,
    "epochs": 1,
}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


Train = Callable[..., Done]


@pytest.fixture
def train(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Train:
    """``gemello train`` on ``data`` of the test's folder, as a user runs it but in this process."""

    def run(*options: str, **changes: object) -> Done:
        sets = arguments(**{**OPTIONS, **changes})
        folders = ("--store", str(tmp_path / "store"), "--cache", str(tmp_path / "cache"))
        data = str(tmp_path / "data")
        monkeypatch.setattr(
            "sys.argv", ["gemello", "train", data, "--name", "mine", *folders, *sets, *options]
        )
        capfd.readouterr()
        with in_place_of_the_real_one(), pytest.raises(SystemExit) as exit_:
            main()
        out, err = capfd.readouterr()
        return Done(int(exit_.value.code or 0), out, err)

    return run


@pytest.fixture
def refused(train: Train, tmp_path: Path) -> Callable[..., str]:
    """The sentence that a run ends with, below its progress; nothing is published."""

    def run(*options: str, **changes: object) -> str:
        done = train(*options, **changes)
        assert (done.code, done.out) == (1, "")
        sentences = [line for line in done.err.splitlines() if line.startswith("gemello: ")]
        assert sentences == done.err.splitlines()[-1:]
        assert model_store.list_models(tmp_path / "store") == []
        assert not list(tmp_path.glob("store/*/.staging-*"))
        return sentences[0]

    return run


def test_ten_classes_of_eight_images_with_what_folders_hold(train: Train, tmp_path: Path) -> None:
    data = draw_classes(tmp_path / "data", 10, 8)
    (data / "class000" / "broken.png").write_bytes(b"no image")
    (data / "class001" / "empty.jpg").write_bytes(b"")
    (data / "class002" / "notes.txt").write_text("no image either")
    (data / "class003" / "zcopy.png").write_bytes((data / "class003" / "image00.png").read_bytes())
    for number in range(2):
        (data / f"alone{number}").mkdir()
        (data / f"class00{4 + number}" / "image07.png").rename(data / f"alone{number}" / "one.png")
    (data / "nothing").mkdir()
    done = train("--force", validation_fraction=0, test_fraction=0)
    assert done.code == 0, done.err
    assert "published mine/1" in done.out
    said = " ".join(done.err.split())
    for name in ("broken.png", "empty.jpg", "zcopy.png"):
        assert f"{name}:" in said
    assert "notes.txt" not in said
    assert "2 train classes have one image only" in said
    counts = model_store.resolve(tmp_path / "store", "mine").manifest.data
    assert (counts["images"]["train"], counts["classes"]["train"]) == (78, 10)
    assert counts["unreadable"] == 2


def test_held_out_images_bound_what_is_validated(train: Train, tmp_path: Path) -> None:
    draw_classes(tmp_path / "data", 34, 4)
    done = train(validation_fraction=0.85, test_fraction=0, held_out_images=100)
    assert done.code == 0, done.err
    said = " ".join(done.err.split())
    assert "100 of 116 validation images are used, drawn at random (data.held_out_images)" in said
    counts = model_store.resolve(tmp_path / "store", "mine").manifest.data["images"]
    assert counts == {"train": 20, "validation": 100, "test": 0}


def test_two_classes_are_enough(train: Train, tmp_path: Path) -> None:
    draw_classes(tmp_path / "data", 2, 3)
    assert "too few classes to hold any out" in " ".join(train().err.split())
    done = train("--resume", "--force")
    assert done.code == 0, done.err
    assert "There is no interrupted run" in done.err
    assert model_store.resolve(tmp_path / "store", "mine").manifest.evaluation is None


def test_too_little_is_refused_before_any_training(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    assert "does not exist" in refused()
    data.mkdir()
    assert "holds no images in class folders" in refused()
    draw_classes(data, 1, 3)
    assert "at least two" in refused()
    draw_classes(data, 3, 1, first=1)
    assert "Fewer than two classes are left" in refused()
    for image in data.glob("class000/*"):
        image.write_bytes(b"broken")
    assert "Fewer than two classes are left" in refused(single_images=0.5)


def test_what_cannot_be_written_to_is_told_before_the_work(
    train: Train, refused: Callable[..., str], tmp_path: Path
) -> None:
    draw_classes(tmp_path / "data", 4, 3)
    (tmp_path / "file").write_text("")
    options = ("--store", str(tmp_path / "file"))
    assert "Models cannot be written to" in train(*options).err
    options = ("--cache", str(tmp_path / "file"))
    assert "--cache" in refused(*options)


def test_an_absurd_rate_publishes_what_needs_no_training(train: Train, tmp_path: Path) -> None:
    draw_classes(tmp_path / "data", 12, 4)
    rates = {"learning_rate": 1e9, "warmup": 0}
    done = train(**rates, epochs=2, validation_fraction=0.3)
    assert done.code == 0, done.err
    assert "ower optimizer.learning_rate" in " ".join(done.err.split())
    history = model_store.resolve(tmp_path / "store", "mine").manifest.training["history"]
    published = next(rung["name"] for rung in history["ladder"] if rung["published"])
    assert published in ("pretrained", "adapted")


def test_a_configuration_file_that_is_wrong_is_refused(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    draw_classes(tmp_path / "data", 2, 3)
    file = tmp_path / "mine.toml"
    file.write_text("epoch = 3\n")
    assert "mine.toml: epoch is not an option of training; did you mean epochs?" in refused(
        "--config", str(file)
    )
    assert "TF_CONFIG" in refused("--strategy", "multi_worker")
    assert "expected one of none" in refused("--strategy", "all")
