"""The check of the default model as a program: its status, its output, and other input sizes."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.images.prepare import prepare_file
from benchmarks.default_model import __main__ as program
from benchmarks.default_model.model_sizes import encoders_at
from benchmarks.default_model.tables import AtSize
from tests.support.images import picture

ROOT = Path(__file__).parents[3]
STORE, SAMPLE = ROOT / "model_store", ROOT / "app" / "sample_gallery"


def put(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(picture(seed))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Emoji and photographs by kind, but neither clip art nor groceries."""
    for key in range(3):
        put(tmp_path / f"data/test/emoji/queries/{key}/twitter.png", key)
        put(tmp_path / f"data/test/emoji/gallery/{key}/google.png", key)
        put(tmp_path / f"data/test/stamps/{key}/a.png", key)
        put(tmp_path / f"data/test/stamps/{key}/b.png", key)
    return tmp_path / "data"


def once(measure: Callable[..., AtSize]) -> Callable[..., AtSize]:
    """``measure``, whose first answer is also given to all who ask later."""
    found: list[AtSize] = []

    def asked(*arguments: Any) -> AtSize:
        if not found:
            found.append(measure(*arguments))
        return found[0]

    return asked


def check(data: Path, *more: str) -> None:
    program.main(["--store", str(STORE), "--data", str(data), *more])


@pytest.mark.slow
def test_what_is_missing_is_said_and_fails(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Measured in earnest, but only once.
    monkeypatch.setattr(program, "measure_size", once(program.measure_size))
    with pytest.raises(SystemExit) as ended:
        check(data, "--json", str(tmp_path / "out.json"))
    assert ended.value.code == 1
    out, err = capsys.readouterr()
    assert "NOT CHECKED edited copies" in err
    assert "git clone" in err
    assert "photographs: stamps" in out
    written = json.loads((tmp_path / "out.json").read_text())
    (at,) = written["sizes"]
    assert [c["check"] for c in at["checks"]] == ["emoji", "photographs: stamps"]
    # Copies of one file are found by anything.
    assert at["checks"][0]["figures"]["recall@1"]["trained"]["value"] == 1
    assert any("edited copies" in line for line in written["missing"])

    check(data, "--allow-missing", "--markdown")
    out, _ = capsys.readouterr()
    assert "| emoji | 3 in 3 | recall@1 | 1.000" in out


def test_nothing_to_check_with_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="nothing to check with"):
        check(tmp_path, "--allow-missing")


def test_an_unknown_model_is_said(data: Path) -> None:
    with pytest.raises(SystemExit, match="nobody"):
        check(data, "--model", "nobody")


@pytest.mark.parametrize("text", ["", "128,", "16", "128,big", "4096"])
def test_sizes_that_cannot_be_are_refused(
    data: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        check(data, "--sizes", text)
    assert "not a list of sides" in capsys.readouterr().err
    assert program.sizes("160,128,160") == [128, 160]


@pytest.mark.slow
def test_the_shipped_model_can_be_had_at_other_sizes(tmp_path: Path) -> None:
    bundle = resolve(STORE, "default")
    own = bundle.manifest.input_size
    files = sorted(SAMPLE.rglob("*.*"))[:8]

    def images(size: int) -> np.ndarray:
        return np.stack([prepare_file(file, size).pixels for file in files])

    served = load_encoder(bundle).embed(images(own))
    baseline, larger = encoders_at(bundle, own + 32, tmp_path)
    assert (baseline.input_size, larger.input_size) == (own + 32, own + 32)
    assert larger.dimension == bundle.manifest.dimension
    # Three depths of the backbone.
    assert baseline.dimension == 1280 + 352 + 208
    vectors = larger.embed(images(own + 32))
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(8), abs=1e-4)
    # The same pictures, seen larger, stay near what they were.
    similar = vectors @ served.T
    assert (similar.argmax(axis=1) == np.arange(8)).all()
    baseline, same = encoders_at(bundle, own, tmp_path / "own")
    assert np.array_equal(same.embed(images(own)), served)
