"""The exported forms agree with each other, and with the network they came from."""

from pathlib import Path

import keras
import numpy as np
import pytest

from app.bundle.encoder import Runtime
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from app.images.prepare import prepare_file
from tests.support.drawings import draw_classes
from tests.support.tiny_network import sectioned
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.run import train

SAMPLE = Path(__file__).parents[3] / "app" / "sample_gallery"
# The real backbone, and as long embeddings as by default.
QUICK = sectioned(
    input_size=64,
    epochs=0,
    classes=4,
    images_per_class=2,
    validation_fraction=0,
    test_fraction=0,
)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    folder = tmp_path_factory.mktemp("export")
    data = draw_classes(folder / "data", 4, 2)
    return train(data, "quick", QUICK, folder / "store", folder / "cache", force=True)


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    files = sorted(SAMPLE.rglob("*.*"))[:40]
    return np.stack([prepare_file(file, 64).pixels for file in files])


def cosines(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)


def test_the_two_runtimes_agree(bundle: Bundle, images: np.ndarray) -> None:
    fast, gpu = load_encoder(bundle, "openvino"), load_encoder(bundle, "tensorflow")
    assert (fast.dimension, fast.input_size, fast.model_id) == (
        gpu.dimension,
        gpu.input_size,
        gpu.model_id,
    )
    assert cosines(fast.embed(images), gpu.embed(images)).min() >= 0.999
    assert gpu.embed(images[:0]).shape == (0, 512)


def test_the_published_model_is_the_trained_one(bundle: Bundle, images: np.ndarray) -> None:
    kept = KerasEncoder(keras.saving.load_model(bundle.path / "model.keras"))
    assert cosines(load_encoder(bundle).embed(images), kept.embed(images)).min() >= 0.999


@pytest.mark.parametrize("runtime", ["openvino", "tensorflow"])
def test_a_row_does_not_depend_on_the_rows_beside_it(
    bundle: Bundle, images: np.ndarray, runtime: Runtime
) -> None:
    encoder = load_encoder(bundle, runtime)
    together = encoder.embed(images)
    alone = np.concatenate([encoder.embed(image[None]) for image in images])
    assert np.abs(together - alone).max() < 1e-4
    assert np.allclose(np.linalg.norm(together, axis=1), 1, atol=1e-5)


def test_red_and_blue_are_told_apart_in_the_same_way(bundle: Bundle) -> None:
    red = np.zeros((1, 64, 64, 3), np.uint8)
    red[..., 0] = 255
    kept = KerasEncoder(keras.saving.load_model(bundle.path / "model.keras"))
    served = load_encoder(bundle).embed(red)
    assert cosines(served, kept.embed(red)).min() >= 0.999
    assert cosines(served, kept.embed(red[..., ::-1])).max() < 0.99


def test_a_model_of_the_default_backbone_is_small_enough_to_ship(bundle: Bundle) -> None:
    files = ("model.keras", "tensorflow", "openvino")
    paths = [
        path for name in files for path in (bundle.path / name, *(bundle.path / name).rglob("*"))
    ]
    assert sum(path.stat().st_size for path in paths if path.is_file()) <= 30e6


def test_a_runtime_refuses_a_bundle_it_cannot_read(bundle: Bundle, tmp_path: Path) -> None:
    from app.errors import RuntimeUnavailable

    with pytest.raises(RuntimeUnavailable, match="tensorflow"):
        load_encoder(Bundle(tmp_path, bundle.manifest), "tensorflow")


def test_a_bundle_names_no_folder_of_this_machine(bundle: Bundle) -> None:
    here = str(bundle.path.parents[2]).encode()
    for path in bundle.path.rglob("*"):
        if path.is_file():
            assert here not in path.read_bytes(), path.name
