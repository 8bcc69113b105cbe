"""What a gallery's images say of its distances."""

import numpy as np
import pytest

from app.bundle.calibration import MIN_IMAGES
from app.gallery.sample import Sample, learn


def images(labels: list[str | None]) -> tuple[list[str], list[str | None], np.ndarray]:
    vectors = np.random.default_rng(0).normal(size=(len(labels), 8)).astype(np.float32)
    return [f"id{i}" for i in range(len(labels))], labels, vectors


def test_fewer_than_a_hundred_images_say_nothing() -> None:
    assert learn(*images([f"c{i % 20}" for i in range(MIN_IMAGES - 1)])) == Sample()


@pytest.mark.parametrize(
    "labels",
    [[None] * 120, ["one"] * 120, [f"c{i % 4}" for i in range(120)], [*("abcdef"), *[None] * 114]],
)
def test_without_labels_all_are_strangers(labels: list[str | None]) -> None:
    sample = learn(*images(labels))
    assert sample.labelled is None
    assert sample.strangers is not None
    assert sample.spread


def test_margins_equal_a_naive_loop_whether_they_are_known_or_not() -> None:
    ids, labels, vectors = images([f"c{i % 20}" for i in range(150)])
    labelled = learn(ids, labels, vectors).labelled
    assert labelled is not None
    for row in range(0, 150, 7):
        naive = min(
            float(np.linalg.norm(vectors[row] - vectors[other]))
            for other in range(150)
            if labels[other] != labels[row]
        )
        assert labelled.known[ids[row]] == pytest.approx(naive, abs=1e-3)
    again = labelled.margins(labels, vectors)
    assert again == pytest.approx([labelled.known[each] for each in ids], abs=1e-3)
    assert labelled.margins(["new", None], vectors[:2]) == pytest.approx(1e-3, abs=1e-3)


def test_images_without_a_label_are_left_out_of_what_labels_say() -> None:
    ids, labels, vectors = images([f"c{i % 20}" if i % 2 else None for i in range(300)])
    labelled = learn(ids, labels, vectors).labelled
    assert labelled is not None
    assert set(labelled.known) == set(ids[1::2])
