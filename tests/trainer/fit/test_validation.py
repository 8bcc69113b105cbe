"""What validation measures, against a naive loop; what is clearly worse, and what likely better."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tests.support.drawings import draw
from tests.trainer.losses.batches import unit
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import Record
from trainer.fit.validation import Validation, clearly_worse, likely_better


def cache(folder: Path, labels: list[str]) -> ImageCache:
    records = []
    for number, label in enumerate(labels):
        path = folder / f"{number}.png"
        draw(0, number, 32).save(path)
        records.append(Record(path, label))
    return open_cache(records, 32, folder / "cache", lambda _: None)


def test_every_image_is_searched_in_the_others(tmp_path: Path) -> None:
    labels = ["b", "a", "b", "c", "a", "b", "a", "alone"]
    validation = Validation(cache(tmp_path, labels))
    embeddings = unit(len(labels), 4)
    # An image without another of its class is no query, and no answer.
    asked = [i for i, label in enumerate(labels) if labels.count(label) > 1]
    hits, precision = [], []
    for i in asked:
        others = [j for j in asked if j != i]
        others.sort(key=lambda j: float(np.linalg.norm(embeddings[i] - embeddings[j])))
        right = [labels[j] == labels[i] for j in others]
        count = sum(right)
        hits.append(right[0])
        precision.append(sum(sum(right[: k + 1]) / (k + 1) for k in range(count) if right[k]))
        precision[-1] /= count
    scores = validation.scores(embeddings)
    assert scores is not None
    assert validation.queries == len(asked) == 6
    assert scores.hits.tolist() == hits
    assert scores.precision == pytest.approx(precision)
    assert scores.recall == pytest.approx(np.mean(hits), abs=1e-4)
    assert scores.map_at_r == pytest.approx(np.mean(precision), abs=1e-4)
    assert len(set(scores.classes.tolist())) == 2


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b", "c"]])
def test_without_a_match_there_are_no_scores(labels: list[str], tmp_path: Path) -> None:
    validation = Validation(cache(tmp_path, labels))
    assert validation.queries == 0
    embeddings = unit(len(labels), 4) if labels else np.empty((0, 4), np.float32)
    assert validation.scores(embeddings) is None


@pytest.mark.parametrize(
    ("lost", "won", "clearly"),
    [
        ([], [], False),
        # Each number is a class, one query of it.
        ([0, 1, 2, 3], [], False),
        ([0, 1, 2, 3, 4], [], True),
        ([0, 1, 2, 3, 4, 5, 6], [7, 8], False),
        # Of one class all five: one chance, not five.
        ([0, 0, 0, 0, 0], [], False),
        ([], [0, 1, 2, 3, 4, 5, 6, 7], False),
    ],
)
def test_clearly_worse_is_beyond_what_chance_among_classes_gives(
    lost: list[int], won: list[int], clearly: bool
) -> None:
    classes = np.repeat(np.arange(9), 5)
    best = np.ones(len(classes), bool)
    hits = best.copy()
    for chosen, who in ((lost, hits), (won, best)):
        for number in chosen:
            who[np.flatnonzero((classes == number) & who)[0]] = False
    assert clearly_worse(hits, best, classes) is clearly


@pytest.mark.parametrize("count", [2, 4, 5])
def test_a_network_that_forgets_all_is_clearly_worse_however_few_classes_there_are(
    count: int,
) -> None:
    classes = np.repeat(np.arange(count), 3)
    best = np.ones(len(classes), bool)
    assert clearly_worse(~best, best, classes)
    assert not clearly_worse(best, best, classes)


def test_likely_better_is_a_paired_t_test_where_each_class_has_one_query() -> None:
    rng = np.random.default_rng(0)
    verdicts = []
    for count in (2, 3, 8, 50):
        for gain in (-0.05, 0.0, 0.02, 0.05, 0.1):
            base = rng.random(count)
            values = base + gain + rng.normal(0, 0.1, count)
            test = stats.ttest_rel(values, base, alternative="greater")
            found = likely_better(values, base, np.arange(count))
            assert found == (test.pvalue < 0.16)
            verdicts.append(found)
    assert {True, False} == set(verdicts)


def test_likely_better_counts_classes_and_not_queries() -> None:
    rng = np.random.default_rng(1)
    for _ in range(30):
        gains = rng.normal(0.05, 0.1, 6)
        sizes = rng.integers(1, 9, 6)
        classes = np.repeat(np.arange(6), sizes)
        base = rng.random(len(classes))
        # Naively: the spread of each class's sum around its share of the mean.
        values = base + gains[classes]
        mean = sum(gains * sizes) / sum(sizes)
        squares = sum((gains[c] * sizes[c] - mean * sizes[c]) ** 2 for c in range(6))
        error = np.sqrt(squares * 6 / 5) / sum(sizes)
        expected = mean > 0 and mean / error > stats.t.isf(0.16, 5)
        assert likely_better(values, base, classes) == expected


def test_one_class_is_never_better_and_equal_is_not_better() -> None:
    values = np.full(8, 0.9)
    assert not likely_better(values, values - 0.5, np.zeros(8, np.int64))
    assert not likely_better(values, values, np.arange(8))
    assert likely_better(values, values - 0.5, np.arange(8) % 2)
