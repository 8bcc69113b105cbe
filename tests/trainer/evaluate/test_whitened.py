"""An encoder whitened on images without labels."""

from pathlib import Path

import numpy as np
import pytest

from app.bundle.whitening import fit_whitening
from app.images.prepare import prepare_file
from app.testing import FakeEncoder
from tests.support.drawings import draw_classes
from trainer.evaluate import whitened
from trainer.evaluate.whitened import whitened_on, whitening_of


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return sorted(draw_classes(tmp_path / "data", 5, 4).rglob("*.png"))


def test_its_vectors_are_those_of_the_other_mapped(files: list[Path]) -> None:
    plain = FakeEncoder()
    encoder = whitened_on(plain, files)
    images = np.stack([prepare_file(file, plain.input_size).pixels for file in files])
    vectors = plain.embed(images)
    expected = fit_whitening(vectors, plain.dimension)(vectors)
    assert np.abs(encoder.embed(images) - expected).max() < 1e-5
    assert np.allclose(np.linalg.norm(encoder.embed(images), axis=1), 1, atol=1e-5)
    assert encoder.input_size == plain.input_size
    assert encoder.dimension == plain.dimension
    assert encoder.model_id not in (plain.model_id, whitened_on(plain, files[:9]).model_id)
    assert encoder.embed(images[:0]).shape == (0, encoder.dimension)


def test_files_that_do_not_decode_are_left_out(files: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    plain = FakeEncoder()
    assert whitened_on(plain, [broken, *files]).model_id == whitened_on(plain, files).model_id


@pytest.mark.parametrize("count", [0, 1])
def test_one_image_has_no_spread_to_whiten(count: int, files: list[Path]) -> None:
    plain = FakeEncoder()
    assert whitened_on(plain, files[:count]) is plain


def test_the_number_of_images_and_of_axes_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 20)).astype(np.float32)
    monkeypatch.setattr(whitened, "FITTED_ON", 10)
    monkeypatch.setattr(whitened, "AXES", 6)
    found = whitening_of(vectors)
    assert found is not None
    assert found.matrix.shape == (20, 6)
    # Evenly spread, the first and the last among them.
    expected = fit_whitening(vectors[np.linspace(0, 49, 10).astype(int)], 6)
    assert np.array_equal(found.matrix, expected.matrix)
