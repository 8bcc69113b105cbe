"""The discriminant of labelled features, against its definition and on made ones."""

import numpy as np
import pytest

from app.bundle.whitening import fit_whitening
from trainer.fit.discriminant import fit_discriminant

WIDTH = 12


def classes(count: int, images: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Classes that differ a little in the second half of the numbers, images of each much in the first."""
    rng = np.random.default_rng(seed)
    spread = np.r_[np.full(WIDTH // 2, 3.0), np.full(WIDTH // 2, 0.3)]
    apart = np.r_[np.full(WIDTH // 2, 0.5), np.full(WIDTH // 2, 1.0)]
    means = rng.standard_normal((count, WIDTH)) * apart + 5
    labels = np.repeat(np.arange(count), images)
    vectors = means[labels] + rng.standard_normal((len(labels), WIDTH)) * spread
    return vectors.astype(np.float32), labels.astype(np.int32)


def recall(vectors: np.ndarray, labels: np.ndarray) -> float:
    distances = np.linalg.norm(vectors[:, None] - vectors, axis=2)
    np.fill_diagonal(distances, np.inf)
    return float((labels[distances.argmin(axis=1)] == labels).mean())


def test_classes_that_it_never_saw_are_told_apart_better() -> None:
    discriminant = fit_discriminant(*classes(60, 6), WIDTH)
    whitening = fit_whitening(classes(60, 6)[0], WIDTH)
    vectors, labels = classes(30, 6, seed=1)
    assert recall(discriminant(vectors), labels) > recall(whitening(vectors), labels) + 0.2


def test_the_whole_power_makes_every_class_as_wide_in_every_direction() -> None:
    vectors, labels = classes(400, 8)
    linear = fit_discriminant(vectors, labels, WIDTH, power=1)
    mapped = (vectors @ linear.matrix + linear.offset).reshape(400, 8, WIDTH)
    within = (mapped - mapped.mean(axis=1, keepdims=True)).reshape(-1, WIDTH)
    found = np.cov(within.T)
    np.testing.assert_allclose(found / np.trace(found) * WIDTH, np.eye(WIDTH), atol=0.15)
    # The axes come in the order of what lies in them, and the mean of all is in the middle.
    assert (np.diff(mapped.reshape(-1, WIDTH).std(axis=0)) <= 1e-3).all()
    np.testing.assert_allclose(mapped.mean(axis=(0, 1)), 0, atol=1e-3)


def test_labels_are_names_and_the_order_is_free() -> None:
    vectors, labels = classes(10, 4)
    order = np.random.default_rng(0).permutation(len(labels))
    one = fit_discriminant(vectors, labels, 5)
    other = fit_discriminant(vectors[order], 7 * labels[order] + 3, 5)
    np.testing.assert_allclose(one.matrix, other.matrix, atol=1e-4)


def test_a_class_of_one_image_says_nothing_of_what_differs_within() -> None:
    """It only moves the middle."""
    vectors, labels = classes(10, 4)
    alone = np.concatenate([vectors, vectors[:1] + 0.01])
    with_it = fit_discriminant(alone, np.append(labels, 99).astype(np.int32), WIDTH)
    without = fit_discriminant(vectors, labels, WIDTH)
    similar = with_it(vectors) @ with_it(vectors).T
    np.testing.assert_allclose(similar, without(vectors) @ without(vectors).T, atol=0.05)


@pytest.mark.parametrize(("count", "images"), [(1, 2), (2, 2), (2, 40)])
def test_few_images_and_few_classes_give_a_finite_map(count: int, images: int) -> None:
    vectors, labels = classes(count, images)
    assert np.isfinite(fit_discriminant(vectors, labels, WIDTH)(vectors)).all()
    same = np.ones_like(vectors)
    assert np.isfinite(fit_discriminant(same, labels, WIDTH)(vectors)).all()


def test_what_gives_no_axes_is_refused() -> None:
    vectors, labels = classes(4, 1)
    for dimension, given in ((3, labels), (13, labels // 2), (0, labels // 2)):
        with pytest.raises(ValueError, match="axes"):
            fit_discriminant(vectors, given, dimension)
