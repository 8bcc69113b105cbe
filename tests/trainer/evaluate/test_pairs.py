"""Pairs drawn at random: what they join, and how evenly."""

import numpy as np
import pytest

from trainer.evaluate.embedding import Labelled
from trainer.evaluate.pairs import sample_pairs


def on_a_line(places: list[float], labels: str) -> Labelled:
    return Labelled(np.array(places, np.float32)[:, None], np.array(list(labels), dtype=object))


def expected(queries: Labelled, gallery: Labelled | None, right: bool) -> dict[float, float]:
    """Distance → its probability, by a loop over all pairs: first the query, then its partner."""
    answers, chances = gallery or queries, dict[float, float]()
    partners = [
        [
            abs(float(queries.vectors[i, 0] - answers.vectors[j, 0]))
            for j in range(len(answers.labels))
            if (answers.labels[j] == label) == right and not (gallery is None and i == j)
        ]
        for i, label in enumerate(queries.labels)
    ]
    asked = sum(1 for distances in partners if distances)
    for distances in partners:
        for distance in distances:
            chances[distance] = chances.get(distance, 0) + 1 / len(distances) / asked
    return chances


@pytest.mark.parametrize("with_gallery", [False, True])
def test_every_pair_is_drawn_as_often_as_it_should(with_gallery: bool) -> None:
    queries = on_a_line([0, 1, 3, 7, 12, 20], "abbaba")
    gallery = on_a_line([30.5, 44, 62, 90, 133, 200, 301], "bacabba") if with_gallery else None
    pairs = sample_pairs(queries, gallery, limit=40_000)
    for distances, right in ((pairs.positive, True), (pairs.negative, False)):
        chances = expected(queries, gallery, right)
        seen, counts = np.unique(distances, return_counts=True)
        found = dict(zip(seen.tolist(), (counts / len(distances)).tolist(), strict=True))
        assert found.keys() == chances.keys()
        for distance, chance in chances.items():
            assert found[distance] == pytest.approx(chance, abs=0.015), (distance, right)


def test_equal_seeds_draw_equal_pairs_and_one_class_has_no_negatives() -> None:
    queries = on_a_line([0, 1, 3], "aaa")
    pairs = sample_pairs(queries, limit=100)
    assert (len(pairs.positive), len(pairs.negative)) == (100, 0)
    assert pairs.positive.tolist() == sample_pairs(queries, limit=100).positive.tolist()
