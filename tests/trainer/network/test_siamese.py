"""The tutorials' form: triplets drawn beforehand, three branches that share their weights."""

from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trainer.losses.batches import euclidean
from trainer.errors import DataError
from trainer.network.siamese import draw_triplets, fixed_triplet_loss, three_branch


@settings(deadline=None)
@given(st.lists(st.integers(-2, 4), max_size=12), st.integers(0, 100))
def test_triplets_are_an_anchor_its_positive_and_a_negative(labels: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    if len(set(labels)) < 2 or len(set(labels)) == len(labels):
        with pytest.raises(DataError):
            draw_triplets(labels, 5, rng)
        return
    triplets = draw_triplets(labels, 30, rng)
    assert (triplets.shape, triplets.dtype) == ((30, 3), np.int64)
    for anchor, positive, negative in triplets:
        assert anchor != positive
        assert labels[anchor] == labels[positive] != labels[negative]


def test_every_possible_triplet_is_drawn_about_as_often() -> None:
    labels = [3, 1, 3, 2, 1, 3]
    expected = [
        # Of the five images with a partner each is as likely to be the anchor.
        (a, p, n, 1 / 5 / (labels.count(labels[a]) - 1) / (6 - labels.count(labels[a])))
        for a in range(6)
        for p in range(6)
        for n in range(6)
        if a != p and labels[a] == labels[p] != labels[n]
    ]
    drawn = draw_triplets(labels, 20_000, np.random.default_rng(0)).tolist()
    assert sum(chance for *_, chance in expected) == pytest.approx(1)
    for *triplet, chance in expected:
        spread = np.sqrt(chance * (1 - chance) / 20_000)
        assert abs(drawn.count(triplet) / 20_000 - chance) < 5 * spread


def test_triplets_follow_the_seed() -> None:
    draws = [draw_triplets([0, 0, 1, 1], 9, np.random.default_rng(s)).tolist() for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


def tiny_embedder() -> keras.Model:
    images = keras.Input((8, 8, 3), dtype="uint8")
    features = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(images))
    return keras.Model(
        images, keras.layers.UnitNormalization()(keras.layers.Dense(4, use_bias=False)(features))
    )


def test_three_branches_share_one_embedder(tmp_path: Path) -> None:
    embedder = tiny_embedder()
    siamese = three_branch(embedder)
    images = np.random.default_rng(0).integers(0, 256, (3, 5, 8, 8, 3), np.uint8)
    embedded = [np.array(embedder(branch)) for branch in images]
    expected = [[euclidean(a, p), euclidean(a, n)] for a, p, n in zip(*embedded, strict=True)]
    distances = siamese(list(images))
    assert np.allclose(distances, expected, atol=1e-5)
    assert [tensor.name for tensor in siamese.inputs] == ["anchor", "positive", "negative"]
    assert [id(v) for v in siamese.trainable_variables] == [
        id(v) for v in embedder.trainable_variables
    ]
    siamese.save(tmp_path / "siamese.keras")
    again = keras.models.load_model(tmp_path / "siamese.keras")
    assert np.allclose(again(list(images)), expected, atol=1e-5)


def test_the_loss_of_fixed_triplets_equals_a_naive_loop() -> None:
    distances = np.array([[0.2, 0.9], [0.5, 0.6], [0.8, 0.3]], np.float32)
    stats = fixed_triplet_loss(distances, 0.2)
    terms = [max(0.0, p - n + 0.2) for p, n in distances.tolist()]
    assert float(stats.loss) == pytest.approx(np.mean(terms))
    assert float(stats.active) == pytest.approx(2 / 3)
