"""``gemello models import``: what it prints, what it refuses, and the model it leaves."""

import json
from pathlib import Path

import pytest

from tests.support import onnx_files
from tests.support.command_line import refusal, run, run_process
from tests.support.drawings import draw_classes

SCALED = ("--mean", "0.5", "--std", "0.25")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return onnx_files.encoder(tmp_path / "dino.onnx")


def test_an_encoder_is_imported_and_says_what_to_do_next(file: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    given = ("--name", "dino", *SCALED, "--resize", "crop", "--store", store)
    done = run("models", "import", file, *given, "--licence", "Apache-2.0")
    assert (done.returncode, done.stderr) == (0, "")
    assert "32 px, crop" in done.stdout
    assert "gemello models activate dino/1" in done.stdout
    assert "--backbone dino/1" in done.stdout
    shown = run("models", "show", "dino", "--store", store).stdout
    assert "dino (Apache-2.0)" in shown
    assert "dino.onnx" in shown
    assert "dino/1" in run("models", "list", "--store", store).stdout
    answer = refusal(run("report", "dino", "--store", store))
    assert "gemello evaluate --model dino/1" in answer


def test_it_is_evaluated_and_compared(file: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    given = ("--name", "dino", *SCALED, "--resize", "pad", "--licence", "MIT", "--store", store)
    assert run("models", "import", file, *given).returncode == 0
    data = draw_classes(tmp_path / "data", 3, 3)
    measured = run("evaluate", "--model", "dino", "--data", data, "--store", store, "--json")
    assert json.loads(measured.stdout)["queries"] == 9
    page = tmp_path / "page.html"
    images = ("--data", data, "--store", store, "--report", page)
    assert run("compare", "dino", "dino/1", *images).returncode == 0
    done = run("evaluate", "--model", "dino", *images)
    assert (done.returncode, page.is_file()) == (0, True)
    assert "dino/1 was imported, and not trained here" in done.stderr


def test_as_json_and_without_a_licence(file: Path, tmp_path: Path) -> None:
    given = ("--name", "dino", *SCALED, "--input-size", 32, "--store", tmp_path / "store")
    done = run("models", "import", file, *given, "--json")
    answer = json.loads(done.stdout)
    assert (answer["model"], answer["dimension"]) == ("dino/1", onnx_files.FEATURES)
    assert (answer["licence"], answer["one_by_one"], answer["resize"]) == (
        "unknown",
        False,
        "stretch",
    )
    assert "licence is recorded as unknown" in done.stderr


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "give --mean and --std"),
        (("--mean", "0.5"), "--mean: give --mean and --std together"),
        (("--mean", "a,b", "--std", "1"), "--mean: expected a number or R,G,B, got 'a,b'"),
        (("--mean", "0.5", "--std", "58"), "count pixels on two scales"),
        ((*SCALED, "--resize", "squash"), "--resize: expected stretch, crop, pad, got 'squash'"),
        ((*SCALED, "--licence", "my own\nwords"), "--licence: "),
        ((*SCALED, "--output", "none"), "it has no output 'none'; it has vector [?, 24]"),
        ((*SCALED, "--input-size", "64"), "not of --input-size 64"),
    ],
)
def test_a_sentence_for_each_impossible_option(
    file: Path, tmp_path: Path, given: tuple[str, ...], words: str
) -> None:
    store = tmp_path / "store"
    done = run("models", "import", file, "--name", "dino", *given, "--store", store)
    assert words in refusal(done)
    assert not list(store.glob("*"))


def test_a_photo_is_no_model_and_openvino_adds_no_words_of_its_own(tmp_path: Path) -> None:
    photo = tmp_path / "photo.onnx"
    photo.write_bytes(b"\xff\xd8\xff\xe0" + bytes(1000))
    store = tmp_path / "store"
    done = run_process("models", "import", photo, "--name", "dino", *SCALED, "--store", store)
    assert refusal(done) == (
        "gemello: photo.onnx cannot be imported: it is no ONNX model, or is cut short."
    )
