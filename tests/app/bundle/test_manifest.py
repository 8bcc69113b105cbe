"""The manifest's document, and the id that stamps every vector."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from app.bundle.manifest import Manifest, Preprocessing, model_id
from tests.support.tiny_model import CALIBRATION, publish_tiny

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


def test_the_threshold_of_an_older_manifest_counts_as_no_calibration(tiny_store: Path) -> None:
    """Up to version 0.2 it held for pairs drawn at random, whatever a search covered."""
    manifest = Manifest.model_validate_json((tiny_store / "tiny/1/manifest.json").read_bytes())
    older = {"intercept": 4.0, "slope": -8.0, "threshold": 0.4, "false_positive_rate": 0.01}
    read = Manifest.model_validate({**manifest.model_dump(), "calibration": older})
    assert read.calibration is None
    assert read == manifest.model_copy(update={"calibration": None})
    with pytest.raises(ValidationError, match="calibration"):
        Manifest.model_validate({**manifest.model_dump(), "calibration": {"intercept": 4.0}})


def test_the_probability_falls_with_the_non_matches_expected() -> None:
    scoring = CALIBRATION.scoring
    assert scoring.probability(0) == pytest.approx(1 / (1 + np.exp(-CALIBRATION.intercept)))
    assert scoring.probability(-2) == pytest.approx(1 / (1 + np.exp(1)))
    assert (scoring.probability(-np.inf), scoring.probability(1e9)) == (1, 0)


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
