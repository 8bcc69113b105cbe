"""Vectors that are kept between runs."""

from pathlib import Path

import numpy as np
import pytest

from app.testing import FakeEncoder
from benchmarks.default_model.checks import Picture
from benchmarks.false_alarms.images import Vectoriser
from tests.support.images import picture


def test_another_run_embeds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(picture(0))
    encoder, cache = FakeEncoder(), tmp_path / "not" / "there"
    first = Vectoriser(encoder, cache).images([Picture(path, "a")], "drawings")
    monkeypatch.delattr(encoder.__class__, "embed")
    again = Vectoriser(encoder, cache).images([Picture(path, "a")], "drawings")
    assert np.array_equal(first.vectors, again.vectors)
    assert again.labels.tolist() == ["drawings/a"]
