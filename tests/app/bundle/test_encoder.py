"""The checks that every runtime makes, and the choice of one."""

from pathlib import Path

import numpy as np
import pytest

from app.bundle.encoder import check_embeddings, check_images, graph_path
from app.bundle.model_store import resolve
from app.bundle.openvino import OpenVinoEncoder
from app.bundle.runtimes import load_encoder
from app.errors import RuntimeUnavailable


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((1, 32, 32, 3), np.float32),
        np.zeros((1, 32, 32, 3), np.int8),
        np.zeros((32, 32, 3), np.uint8),
        np.zeros((1, 32, 32), np.uint8),
        np.zeros((1, 31, 32, 3), np.uint8),
        np.zeros((1, 3, 32, 32), np.uint8),
        np.zeros((1, 1, 32, 32, 3), np.uint8),
    ],
)
def test_what_is_no_batch_of_images_is_refused(images: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"expected uint8 \[N, 32, 32, 3\]"):
        check_images(images, 32)


def test_a_batch_of_any_length_passes() -> None:
    for count in (0, 1, 7):
        check_images(np.zeros((count, 32, 32, 3), np.uint8), 32)


def test_embeddings_are_held_to_their_shape_and_to_finite_values(tiny_store: Path) -> None:
    manifest = resolve(tiny_store, "tiny").manifest
    good = np.ones((2, 48), np.float32)
    assert check_embeddings(good, 2, manifest) is good
    for bad, count in ((good, 3), (good[:, :47], 2), (good[0], 2)):
        with pytest.raises(ValueError, match="the graph gave"):
            check_embeddings(bad, count, manifest)
    for value in (np.nan, np.inf):
        spoilt = good.copy()
        spoilt[1, 5] = value
        with pytest.raises(ValueError, match="not finite"):
            check_embeddings(spoilt, 2, manifest)


def test_openvino_is_the_default_runtime(tiny_store: Path) -> None:
    bundle = resolve(tiny_store, "tiny")
    assert isinstance(load_encoder(bundle), OpenVinoEncoder)
    assert graph_path(bundle, "openvino").is_file()
    assert graph_path(bundle, "tensorflow") == bundle.path / "tensorflow"


def test_a_runtime_without_a_graph_says_which_one_has(tiny_store: Path) -> None:
    with pytest.raises(RuntimeUnavailable) as caught:
        load_encoder(resolve(tiny_store, "tiny"), "tensorflow")
    assert str(caught.value) == (
        "The runtime 'tensorflow' cannot serve this model: tiny/1 has no graph for it; serve it "
        "with GEMELLO_RUNTIME=openvino."
    )
