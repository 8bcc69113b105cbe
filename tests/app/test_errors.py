"""The tree of errors: drawn as it is, each with a stable code, a status, and a sentence."""

import inspect
from types import ModuleType

import pytest

import trainer.errors
from app import errors
from app.api.errors import STATUS, status_of

Kind = type[errors.GemelloError]


def family(kind: Kind) -> list[Kind]:
    found = [kind]
    for child in kind.__subclasses__():
        found += family(child)
    return found


OURS = [kind for kind in family(errors.GemelloError) if kind.__module__.startswith("app.errors.")]


@pytest.mark.parametrize("module", [errors, trainer.errors], ids=["app", "trainer"])
def test_the_drawing_shows_every_class(module: ModuleType) -> None:
    drawn = inspect.getdoc(module) or ""
    for name, kind in inspect.getmembers(module, inspect.isclass):
        if kind.__module__.startswith(module.__name__):
            assert name in drawn


def test_codes_are_all_different() -> None:
    codes = [kind.code for kind in family(errors.GemelloError) if kind.__name__ != "RequestRefused"]
    assert len(set(codes)) == len(codes)


def test_the_nearest_class_decides_the_status() -> None:
    assert status_of(errors.ImageUndecodable("x")) == 400
    assert status_of(errors.ImageTypeUnsupported(("PNG",))) == 415
    assert status_of(errors.StorageFull()) == 507
    assert status_of(errors.Overloaded()) == 429
    for kind in OURS:
        assert any(base in STATUS for base in kind.__mro__)


def test_every_error_is_one_sentence_with_its_facts() -> None:
    for error, fact in (
        (errors.ImageUndecodable("the file is empty"), "the file is empty"),
        (errors.ImageTooLarge("pixels", 2_000, 1_000, "MAX_IMAGE_PIXELS"), "MAX_IMAGE_PIXELS"),
        (errors.ImageNotFound("a b"), "'a b'"),
        (errors.ModelNotFound("m", "store", ["other/1"]), "other/1"),
        (errors.ModelCorrupt("model.bin", "its SHA-256 differs"), "model.bin"),
        (errors.ParameterInvalid("top_k", "too large"), "top_k"),
    ):
        assert fact in str(error)
        assert str(error).endswith(".")
        assert "\n" not in str(error)


def test_hardening_callers_are_not_told_of_folders_and_of_what_libraries_say() -> None:
    for error in (
        errors.ModelNotFound("m", "/srv/store", ["other/1"]),
        errors.ModelCorrupt("/srv/store/m/1/manifest.json", "its SHA-256 differs"),
        errors.ModelStoreUnwritable("/srv/store/m", "Read-only file system"),
        errors.RuntimeUnavailable("openvino", "Check failed at /srv/build/x.cpp:7"),
    ):
        assert "/srv" in str(error)
        assert "/srv" not in error.detail
        assert error.detail.endswith(".")
