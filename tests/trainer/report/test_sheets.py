"""Contact sheets: which queries they show."""

from dataclasses import replace

import numpy as np

from trainer.evaluate.measurement import Measurement
from trainer.report import sheets


def test_worst_best_and_changed_queries(measured: Measurement) -> None:
    worst = sheets.worst(measured, 5)
    assert measured.ranks[worst[0]] == measured.ranks.max()
    assert len({measured.labels[query] for query in worst}) == 5
    confident = sheets.confident(measured, 5)
    wrong = [i for i in range(45) if measured.ranks[i] > 1]
    assert confident[0] == min(wrong, key=lambda i: float(measured.top_distances[i, 0]))
    assert set(confident) <= set(wrong)
    assert len({measured.labels[query] for query in confident}) == 5
    nearest = [float(measured.top_distances[query, 0]) for query in confident]
    assert nearest == sorted(nearest)
    right = replace(measured, ranks=np.ones_like(measured.ranks))
    assert sheets.confident(right) == []
    best = sheets.best(measured, 5)
    assert measured.average_precision[best[0]] == measured.average_precision.max()
    other = replace(measured, ranks=np.roll(measured.ranks, 1))
    gained = sheets.changed(other, measured)
    expected = [i for i in range(45) if measured.ranks[i] == 1 and other.ranks[i] > 1]
    assert sorted(gained) == expected
    assert [other.ranks[i] for i in gained] == sorted(other.ranks[i] for i in expected)[::-1]
