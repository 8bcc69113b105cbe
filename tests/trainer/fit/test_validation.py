"""The validation recall that chooses the weights to keep, against a naive loop; what is clearly worse."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.drawings import draw
from tests.trainer.losses.batches import unit
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import Record
from trainer.fit.validation import Validation, recall


def cache(folder: Path, labels: list[str]) -> ImageCache:
    records = []
    for number, label in enumerate(labels):
        path = folder / f"{number}.png"
        draw(0, number, 32).save(path)
        records.append(Record(path, label))
    return open_cache(records, 32, folder / "cache", lambda _: None)


def test_recall_is_the_share_of_images_whose_nearest_other_is_of_their_class(
    tmp_path: Path,
) -> None:
    labels = ["b", "a", "b", "c", "a", "b", "a", "alone"]
    validation = Validation(cache(tmp_path, labels))
    found = 0
    embeddings = unit(len(labels), 4)
    # An image without another of its class is no query, and no answer.
    asked = [i for i, label in enumerate(labels) if labels.count(label) > 1]
    for i in asked:
        others = [j for j in asked if j != i]
        nearest = min(others, key=lambda j: float(np.linalg.norm(embeddings[i] - embeddings[j])))
        found += labels[nearest] == labels[i]
    assert validation.queries == len(asked) == 6
    assert recall(validation.hits(embeddings)) == pytest.approx(found / len(asked), abs=1e-4)
    assert 0 < found < 6


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b", "c"]])
def test_without_a_match_there_is_no_recall(labels: list[str], tmp_path: Path) -> None:
    validation = Validation(cache(tmp_path, labels))
    assert validation.queries == 0
    embeddings = unit(len(labels), 4) if labels else np.empty((0, 4), np.float32)
    assert validation.hits(embeddings) is None
    assert recall(None) is None


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
    lost: list[int], won: list[int], clearly: bool, tmp_path: Path
) -> None:
    classes = np.repeat(np.arange(9), 5)
    validation = Validation(cache(tmp_path, [str(number) for number in classes]))
    best = np.ones(len(classes), bool)
    hits = best.copy()
    for chosen, who in ((lost, hits), (won, best)):
        for number in chosen:
            who[np.flatnonzero((classes == number) & who)[0]] = False
    assert validation.clearly_worse(hits, best) is clearly


@pytest.mark.parametrize("count", [2, 4, 5])
def test_a_network_that_forgets_all_is_clearly_worse_however_few_classes_there_are(
    count: int, tmp_path: Path
) -> None:
    validation = Validation(
        cache(tmp_path, [str(number) for number in np.repeat(np.arange(count), 3)])
    )
    best = np.ones(validation.queries, bool)
    assert validation.clearly_worse(~best, best)
    assert not validation.clearly_worse(best, best)
