"""What a command says that lacks the clone, or a package of it."""

from pathlib import Path

import pytest

from app.errors import ModelNotFound
from gemello.commands import clone
from trainer.errors import DataError

NO_APP = ModuleNotFoundError("No module named 'app'", name="app.config")
OTHER_APP = ImportError("cannot import name 'load_settings'", name="app.config")


@pytest.mark.parametrize("exc", [NO_APP, OTHER_APP])
def test_without_a_clone_one_sentence_says_how_to_get_it(exc: ImportError) -> None:
    sentence = clone.explanation(exc, "gemello serve")
    assert sentence is not None
    assert sentence.startswith("`gemello serve` runs from a clone or the container")
    assert "make setup" in sentence


def test_what_the_service_needs_is_missing_with_the_clone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(clone, "_APP", tmp_path / "app")
    exc = ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
    assert "`gemello serve` runs from a clone" in str(clone.explanation(exc, "gemello serve"))


def test_a_package_that_is_missing_is_named() -> None:
    exc = ModuleNotFoundError("No module named 'faiss'", name="faiss")
    sentence = clone.explanation(exc, "gemello serve")
    assert sentence is not None
    assert sentence.startswith("`gemello serve` needs faiss, which is not installed")


@pytest.mark.parametrize("exc", [ModelNotFound("x", "store", []), DataError("Nothing is there.")])
def test_errors_of_the_service_and_the_trainer_are_sentences(exc: Exception) -> None:
    assert clone.explanation(exc, "gemello serve") == str(exc)


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    assert clone.explanation(RuntimeError("x"), "gemello serve") is None
    assert clone.explanation(ImportError("cannot import name", name="numpy"), "gemello") is None
