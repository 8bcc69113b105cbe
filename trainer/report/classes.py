"""How each class fares: the worst and the best at a glance, the rest on demand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trainer.evaluate.measurement import Measurement
from trainer.report.content import Report
from trainer.report.text import percent

_OPEN_WORST, _OPEN_BEST, _MOST = 40, 20, 1000


@dataclass(frozen=True, slots=True)
class ClassRow:
    """One class: its queries, what becomes of them, and what it is mostly mistaken for."""

    label: str
    queries: int
    after: str
    before: str | None
    average_precision: str
    mistaken: str


@dataclass(frozen=True, slots=True)
class ClassTable:
    """``worst`` and ``best`` are shown; ``others`` is what lies between, up to a thousand."""

    worst: Sequence[ClassRow]
    best: Sequence[ClassRow]
    others: Sequence[ClassRow]
    left_out: int


def class_table(report: Report) -> ClassTable:
    """Return the classes by recall@1 of ``after``, then by MAP@R, then by name."""
    after, before = report.after, report.before
    names, codes, counts = np.unique(
        after.labels.astype(str), return_inverse=True, return_counts=True
    )
    recall = np.bincount(codes, after.hits(1)) / counts
    average = np.bincount(codes, after.average_precision) / counts
    earlier = None if before is None else np.bincount(codes, before.hits(1)) / counts
    mistaken = _mistaken(after)

    def row(i: int) -> ClassRow:
        return ClassRow(
            str(names[i]),
            int(counts[i]),
            percent(recall[i]),
            None if earlier is None else percent(earlier[i]),
            percent(average[i]),
            mistaken.get(str(names[i]), "–"),
        )

    order = np.lexsort((names, average, recall)).tolist()
    if len(order) <= _OPEN_WORST + _OPEN_BEST:
        return ClassTable([row(i) for i in order], [], [], 0)
    worst, rest = order[:_OPEN_WORST], set(order[_OPEN_WORST:])
    # Not the order's other end: there, names would run backwards among equals.
    best = [i for i in np.lexsort((names, -average, -recall)).tolist() if i in rest][:_OPEN_BEST]
    between = [i for i in order[_OPEN_WORST:] if i not in set(best)]
    return ClassTable(
        [row(i) for i in worst],
        [row(i) for i in best],
        [row(i) for i in between[:_MOST]],
        max(0, len(between) - _MOST),
    )


def _mistaken(measurement: Measurement) -> dict[str, str]:
    """Class → the class that most often comes first in its place, and how often."""
    wrong: dict[str, Counter[str]] = {}
    for query in np.flatnonzero(~measurement.hits(1)).tolist():
        nearest = str(measurement.gallery_labels[measurement.top[query, 0]])
        wrong.setdefault(str(measurement.labels[query]), Counter())[nearest] += 1
    return {
        label: "{} ({}×)".format(*min(seen.items(), key=lambda item: (-item[1], item[0])))
        for label, seen in wrong.items()
    }
