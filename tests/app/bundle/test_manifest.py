"""The manifest's document, and the id that stamps every vector."""

import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from app.bundle.manifest import Calibration, Manifest, Preprocessing, model_id
from tests.support.tiny_model import publish_tiny

FILES = {"openvino/model.xml": "a" * 64, "openvino/model.bin": "b" * 64, "model.keras": "c" * 64}


def test_a_manifest_survives_its_own_json(tiny_store: Path) -> None:
    manifest = Manifest.model_validate_json((tiny_store / "tiny/1/manifest.json").read_bytes())
    assert Manifest.model_validate_json(manifest.model_dump_json()) == manifest
    assert (manifest.name, manifest.version, manifest.metric) == ("tiny", "1", "euclidean")


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"format_version": 2},
        {"metric": "cosine"},
        {"dimension": "many"},
        {"files": None},
        {"name": "../escape"},
        {"name": ""},
        {"version": "../2"},
        {"version": "latest"},
        {"version": "0"},
    ],
)
def test_a_field_that_we_do_not_know_or_allow_is_refused(tiny_store: Path, change: dict) -> None:
    manifest = Manifest.model_validate_json((tiny_store / "tiny/1/manifest.json").read_bytes())
    with pytest.raises(ValidationError, match=next(iter(change))):
        Manifest.model_validate({**manifest.model_dump(), **change})


def test_a_calibration_of_an_older_manifest_still_holds() -> None:
    """Version 0.1 wrote these four fields."""
    older = {"intercept": 4.0, "slope": -8.0, "threshold": 0.4, "false_positive_rate": 0.01}
    calibration = Calibration.model_validate(older)
    assert calibration.probability(0.5) == pytest.approx(0.5)
    assert calibration.probability(0.25) == pytest.approx(1 / (1 + math.exp(-2)))
    assert (calibration.gallery, calibration.calibration_error) == (None, None)


def test_a_match_is_what_lies_within_the_threshold() -> None:
    calibration = Calibration(intercept=4, slope=-8, power=2, threshold=0.4)
    assert [calibration.matches(d) for d in (0.0, 0.4, 0.4001)] == [True, True, False]
    assert calibration.probability(0.5) == pytest.approx(1 / (1 + math.exp(-2)))
    assert calibration.probability(1e6) == 0


def test_the_model_id_changes_with_what_can_change_an_embedding() -> None:
    same = model_id(FILES, 32, Preprocessing())
    assert model_id(dict(reversed(FILES.items())), 32, Preprocessing()) == same
    assert model_id({**FILES, "report/index.html": "d" * 64}, 32, Preprocessing()) == same
    assert model_id({**FILES, "model.keras": "d" * 64}, 32, Preprocessing()) == same
    assert model_id(FILES, 64, Preprocessing()) != same
    assert model_id({**FILES, "openvino/model.bin": "d" * 64}, 32, Preprocessing()) != same
    assert model_id({**FILES, "tensorflow/saved_model.pb": "d" * 64}, 32, Preprocessing()) != same


def test_two_graphs_have_two_ids(tmp_path: Path) -> None:
    ids = {publish_tiny(tmp_path, offset=o).manifest.model_id for o in (0.01, 0.02)}
    assert len(ids) == 2
