"""Scores that a gallery's own labels teach."""

import numpy as np
import pytest

from app.bundle.calibration import fit_tail
from app.bundle.margins import margins, margins_to
from app.gallery.scoring import gallery_scoring


def clusters(classes: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors in random order, classes near to each other in different degrees."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(classes, 24))
    noise = rng.normal(size=(classes, each, 24)) * rng.uniform(0.3, 0.9, (classes, 1, 1))
    vectors = (centres[:, None] + noise).reshape(-1, 24)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    order = rng.permutation(len(vectors))
    return vectors[order].astype(np.float32), np.repeat(np.arange(classes), each)[order]


@pytest.mark.parametrize("each", [3, 12])
def test_scores_are_the_parts_that_match(each: int) -> None:
    """However many images a class has, and whether a query has a match or not."""
    vectors, classes = clusters(120, each, each)
    room = margins(vectors, classes)
    tail = fit_tail(vectors, classes, room)
    assert tail is not None
    scoring = gallery_scoring(vectors, classes, room, tail)
    assert scoring is not None
    rng = np.random.default_rng(1)
    scores, matches = [], []
    for row in rng.permutation(len(vectors))[:200].tolist():
        for there in (True, False):
            known = (np.arange(len(vectors)) != row) & (there | (classes != classes[row]))
            units = margins_to(
                vectors[known], classes[known].tolist(), vectors[known], classes[known]
            )
            apart = np.linalg.norm(vectors[known] - vectors[row], axis=1) / units
            first = np.argsort(apart)[:10]
            scores += [
                scoring.probability(tail.log_expected(float(apart[i]), len(vectors))) for i in first
            ]
            matches += (classes[known][first] == classes[row]).tolist()
    found, right = np.array(scores), np.array(matches)
    bins = np.minimum((found * 10).astype(int), 9)
    gaps = np.bincount(bins, weights=found - right, minlength=10)
    assert np.abs(gaps).sum() / len(found) < 0.06


def test_no_scores_from_too_few_matches_or_from_labels_that_mean_nothing() -> None:
    vectors, classes = clusters(150, 2, 0)
    singles = np.arange(len(classes))
    singles[:4] = [0, 0, 1, 1]
    for labels in (singles, np.random.default_rng(0).permutation(classes)):
        room = margins(vectors, labels)
        tail = fit_tail(vectors, labels, room)
        assert tail is not None
        assert gallery_scoring(vectors, labels, room, tail) is None


def test_a_gallery_of_few_images_with_many_of_each_class_has_scores() -> None:
    """Queries without a match find fewer than ten there."""
    vectors, classes = clusters(6, 20, 0)
    room = margins(vectors, classes)
    tail = fit_tail(vectors, classes, room)
    assert tail is not None
    assert gallery_scoring(vectors, classes, room, tail) is not None


def test_copies_do_not_break_the_fit() -> None:
    """Half of the images lie in pairs of equals; a distance of zero has no logarithm."""
    vectors, classes = clusters(60, 4, 2)
    vectors[1::2] = vectors[::2]
    classes[1::2] = classes[::2]
    room = margins(vectors, classes)
    tail = fit_tail(vectors, classes, room)
    assert tail is not None
    scoring = gallery_scoring(vectors, classes, room, tail)
    assert scoring is not None
    assert np.isfinite([scoring.intercept, scoring.slope]).all()
    assert scoring.probability(tail.log_expected(0.0, 240)) == 1
