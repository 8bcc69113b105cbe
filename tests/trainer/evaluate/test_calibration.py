"""Probabilities of a match: their pairs, their fit and their error, against naive loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bundle.scoring import TOP_K
from tests.support.tiny_model import CALIBRATION
from trainer.evaluate import calibration
from trainer.evaluate.calibration import (
    PER_CLASS,
    Pairs,
    calibrate,
    calibration_error,
    deal,
    expected_calibration_error,
    match_probabilities,
    search_pairs,
)


def embeddings(classes: int, images: int, seed: int, noise: float = 0.6) -> tuple:
    """Unit vectors around a centre for each class, and their labels, in no order."""
    rng = np.random.default_rng(seed)
    centres = np.repeat(rng.normal(size=(classes, 8)), images, axis=0)
    vectors = centres + noise * rng.normal(size=centres.shape)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = np.repeat([f"c{i}" for i in range(classes)], images).astype(object)
    order = rng.permutation(len(labels))
    return vectors[order].astype(np.float32), labels[order]


@given(
    st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60),
    st.integers(1, 12),
)
def test_the_calibration_error_equals_a_naive_loop(drawn: list, bins: int) -> None:
    error = 0.0
    for number in range(bins):
        held = [(p, m) for p, m in drawn if min(int(p * bins), bins - 1) == number]
        if held:
            mean = sum(p for p, _ in held) / len(held)
            part = sum(m for _, m in held) / len(held)
            error += len(held) / len(drawn) * abs(mean - part)
    probabilities, matches = (np.array(column) for column in zip(*drawn, strict=True))
    assert expected_calibration_error(probabilities, matches, bins) == pytest.approx(error)


def test_the_calibration_error_of_known_cases() -> None:
    sure = np.array([1.0, 1.0, 0.0, 0.0])
    assert expected_calibration_error(sure, sure.astype(bool)) == 0
    assert expected_calibration_error(sure, ~sure.astype(bool)) == 1
    with pytest.raises(ValueError, match="0 probabilities"):
        expected_calibration_error(np.empty(0), np.empty(0, bool))


def test_pairs_are_the_first_answers_of_a_naive_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "GALLERIES", (30,))
    vectors, labels = embeddings(20, 3, 0)
    pairs = search_pairs(vectors, labels, 0)
    (gallery, rest) = deal(labels, 30, np.random.default_rng(0))
    assert (len(gallery), len(rest)) == (30, 30)
    expected = []
    for inside in (gallery, rest):
        # Its own images, and as many of the other classes: here, all of them.
        for i in (*gallery, *rest):
            apart = [
                (float(np.linalg.norm(vectors[j] - vectors[i])), labels[j] == labels[i])
                for j in inside
                if j != i
            ]
            expected += sorted(apart)[:TOP_K]
    found = sorted(zip(pairs.distances.tolist(), pairs.matches.tolist(), strict=True))
    assert [d for d, _ in found] == pytest.approx([d for d, _ in sorted(expected)], abs=1e-5)
    assert sum(m for _, m in found) == sum(m for _, m in expected)
    assert set(pairs.images.tolist()) == {30}


def test_a_query_is_never_its_own_answer_even_among_copies_of_itself() -> None:
    vectors = np.ones((90, 4), np.float32)
    labels = np.repeat([f"c{i}" for i in range(18)], 5).astype(object)
    pairs = search_pairs(vectors, labels, 0)
    assert not pairs.distances.any()
    assert 0 < pairs.matches.mean() < 1


def test_several_sizes_of_galleries_are_searched() -> None:
    vectors, labels = embeddings(250, 3, 0)
    assert set(search_pairs(vectors, labels, 0).images.tolist()) == {30, 99, 300}


def test_galleries_are_whole_classes_of_about_the_size() -> None:
    labels = np.array([f"c{i}" for i in range(50) for _ in range(i % 5 + 1)], object)
    galleries = list(deal(labels, 40, np.random.default_rng(3)))
    assert len(galleries) >= 3
    everything = np.concatenate(galleries)
    assert len(set(everything.tolist())) == len(everything)
    for places in galleries:
        assert 36 <= len(places) <= 40
        for label in set(labels[places]):
            assert (labels[places] == label).sum() == (labels == label).sum()


def test_a_common_class_does_not_crowd_out_the_others() -> None:
    labels = np.array(["common"] * 500 + ["rare"] * 3, object)
    (places,) = deal(labels, 1000, np.random.default_rng(0))
    assert sorted(labels[places].tolist()) == ["common"] * PER_CLASS + ["rare"] * 3


def test_more_images_than_queries_take_no_more_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "_MAX_QUERIES", 100)
    monkeypatch.setattr(calibration, "GALLERIES", (45,))
    vectors, labels = embeddings(200, 3, 0)
    # Two galleries, each searched for its own images and for as many others.
    assert len(search_pairs(vectors, labels, 0).distances) == 2 * 2 * 45 * TOP_K


@pytest.mark.parametrize("seed", range(3))
def test_unseen_classes_get_right_probabilities(seed: int) -> None:
    vectors, labels = embeddings(600, 3, seed)
    unseen = np.array([int(label[1:]) % 2 == 1 for label in labels])
    fitted = calibrate(vectors[~unseen], labels[~unseen], seed)
    assert fitted is not None
    assert (fitted.images, fitted.classes) == (900, 300)
    error = calibration_error(fitted, vectors[unseen], labels[unseen], seed)
    assert error is not None
    assert 0 < error < 0.05
    twisted = fitted.model_copy(update={"intercept": fitted.intercept + 3})
    wrong = calibration_error(twisted, vectors[unseen], labels[unseen], seed)
    assert wrong is not None
    assert wrong > 0.1


def test_the_service_computes_the_probability_that_was_checked() -> None:
    distances = np.array([0.0, 0.3, 0.7, 1.4, 50.0])
    images = np.array([10, 100, 1000, 10_000, 1])
    pairs = Pairs(distances, distances > 1, images)
    served = [
        CALIBRATION.scoring.probability(CALIBRATION.tail.log_expected(d, int(n)))
        for d, n in zip(distances, images, strict=True)
    ]
    assert served == pytest.approx(match_probabilities(CALIBRATION, pairs), abs=1e-12)


def test_the_same_seed_gives_the_same_calibration() -> None:
    vectors, labels = embeddings(60, 3, 0)
    kept = vectors.copy()
    assert calibrate(vectors, labels, 4) == calibrate(vectors, labels, 4)
    assert (vectors == kept).all()


@pytest.mark.parametrize(
    ("classes", "images", "reason"),
    [
        (0, 0, "Fewer than 5"),
        (4, 50, "Fewer than 5"),
        (150, 1, "0 matches"),
        (30, 2, "60 validation images"),
    ],
)
def test_too_little_is_said_and_gives_none(classes: int, images: int, reason: str) -> None:
    vectors, labels = embeddings(classes, images, 0, noise=0.01)
    said: list[str] = []
    assert calibrate(vectors, labels, 0, said.append) is None
    assert len(said) == 1
    assert reason in said[0]


def test_distances_that_mislead_are_not_calibrated() -> None:
    """Every place holds a copy of each class, so what is nearest never matches."""
    rng = np.random.default_rng(0)
    places = np.repeat(rng.normal(size=(40, 8)), 5, axis=0)
    vectors = (places + rng.normal(scale=1e-3, size=places.shape)).astype(np.float32)
    labels = np.tile([f"c{i}" for i in range(5)], 40).astype(object)
    said: list[str] = []
    assert calibrate(vectors, labels, 0, said.append) is None
    assert said == [
        "Nearer validation images match no more often, so distances are not calibrated."
    ]


def test_one_test_class_measures_nothing() -> None:
    vectors, labels = embeddings(1, 5, 0)
    assert calibration_error(CALIBRATION, vectors, labels, 0) is None
