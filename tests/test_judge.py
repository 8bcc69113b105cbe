"""The validation recall that chooses the best weights, against a naive loop."""

from pathlib import Path

import numpy as np
import pytest

from tests.drawings import draw
from tests.losses.batches import unit
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import Record
from trainer.fit.judge import Judge


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
    judge = Judge(cache(tmp_path, labels))
    found = 0
    embeddings = unit(len(labels), 4)
    # An image without another of its class is no query, and no answer.
    asked = [i for i, label in enumerate(labels) if labels.count(label) > 1]
    for i in asked:
        others = [j for j in asked if j != i]
        nearest = min(others, key=lambda j: float(np.linalg.norm(embeddings[i] - embeddings[j])))
        found += labels[nearest] == labels[i]
    assert judge.queries == len(asked) == 6
    assert judge.recall(embeddings) == pytest.approx(found / len(asked), abs=1e-4)
    assert 0 < found < 6


@pytest.mark.parametrize("labels", [[], ["a"], ["a", "b", "c"]])
def test_without_a_match_there_is_no_recall(labels: list[str], tmp_path: Path) -> None:
    judge = Judge(cache(tmp_path, labels))
    assert judge.queries == 0
    assert judge.recall(unit(len(labels), 4) if labels else np.empty((0, 4), np.float32)) is None
