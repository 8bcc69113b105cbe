"""The tables of a report, as text ready to be shown."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from trainer.bootstrap import Difference, Interval
from trainer.comparison import compare, intervals, p, points, span
from trainer.measurement import Measurement
from trainer.report.content import Report

_OPEN_WORST, _OPEN_BEST, _MOST = 40, 20, 1000
_FEW_CLASSES = 10

NAMES = {"map@r": "MAP@R", "r_precision": "R-precision"}


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure; ``before`` and ``change`` are None without a second model."""

    figure: str
    after: str
    before: str | None = None
    change: str | None = None
    p: str | None = None


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


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence in large letters, and one that says how sure it is."""

    text: str
    detail: str


def figure_rows(report: Report) -> list[FigureRow]:
    """Every figure with its 95 % interval, of both models where there are two."""
    if report.before is None:
        return [
            FigureRow(NAMES.get(name, name), with_interval(found))
            for name, found in intervals(report.after).items()
        ]
    return [
        FigureRow(
            NAMES.get(row.figure, row.figure),
            with_interval(row.second),
            with_interval(row.first),
            f"{points(row.difference.value)} ({span(row.difference)})",
            p(row.difference),
        )
        for row in compare(report.before, report.after, report.names).rows
    ]


def headline(report: Report) -> Headline:
    """What was measured, and recall@1 before → after with its interval."""
    after = report.after
    classes = len(set(after.labels.tolist()))
    asked = (
        f"{len(after):,} queries of {classes:,} classes, {len(after.gallery_paths):,} images in "
        f"the gallery; {after.protocol}."
    )
    if report.before is None:
        now = intervals(after)["recall@1"]
        return Headline(f"{report.names[1]}: recall@1 {with_interval(now)}", asked)
    found = compare(report.before, after, report.names)
    row = found.rows[0]
    if report.comparison:
        return Headline(found.conclusion(), asked)
    return Headline(
        f"Recall@1 {percent(row.first.value)} → {with_interval(row.second)}",
        f"{report.names[0]} → {report.names[1]}. {_verdict(row.difference)} {asked}",
    )


def _verdict(change: Difference) -> str:
    sure = f"95 % interval {span(change)}, {p(change)}"
    if not change.shown:
        return f"No difference shown: {points(change.value)} points ({sure})."
    word = "better" if change.value > 0 else "worse"
    return f"That is {points(change.value)} points, {word} ({sure})."


def too_few_classes(measurement: Measurement) -> bool:
    """Whether intervals over classes are rough: a handful of classes can only be drawn so often."""
    return len(set(measurement.labels.tolist())) < _FEW_CLASSES


def class_table(report: Report) -> ClassTable:
    """Classes by recall@1 of ``after``, then by MAP@R: the worst first."""
    after, before = report.after, report.before
    labels = after.labels.astype(str)
    names, codes, counts = np.unique(labels, return_inverse=True, return_counts=True)
    recall = np.bincount(codes, after.hits(1)) / counts
    average = np.bincount(codes, after.average_precision) / counts
    earlier = None if before is None else np.bincount(codes, before.hits(1)) / counts
    mistaken = _mistaken(after)
    order = np.lexsort((names, average, recall))
    rows = [
        ClassRow(
            str(names[i]),
            int(counts[i]),
            percent(recall[i]),
            None if earlier is None else percent(earlier[i]),
            percent(average[i]),
            mistaken.get(str(names[i]), "–"),
        )
        for i in order
    ]
    if len(rows) <= _OPEN_WORST + _OPEN_BEST:
        return ClassTable(rows, [], [], 0)
    between = rows[_OPEN_WORST:-_OPEN_BEST]
    return ClassTable(
        rows[:_OPEN_WORST],
        rows[-_OPEN_BEST:][::-1],
        between[:_MOST],
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


def facts(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested values as lines: ``images.train`` → ``2,226``."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += facts(value, f"{name}.")
        else:
            lines.append((clean(name), clean(_text(value))))
    return lines


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def with_interval(found: Interval) -> str:
    return f"{percent(found.value)} ({100 * found.low:.1f}–{100 * found.high:.1f})"


def clean(text: str) -> str:
    """Valid Unicode, which a file's name on Linux need not be."""
    return os.fsencode(text).decode(errors="replace")


def shown_path(path: Path | str) -> str:
    """The end of a path, which says what the image is; the rest says where somebody keeps it."""
    return clean("/".join(Path(path).parts[-3:]))
