"""Contact sheets: queries worth looking at, each with its nearest five."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.evaluate.measurement import Measurement
from trainer.report.content import Report
from trainer.report.text import common_folder, shown
from trainer.report.thumbnails import Thumbnails

_WORST, _CONFIDENT, _BEST, _CHANGED = 16, 8, 8, 12


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail with its caption; ``right`` is None for the query itself."""

    uri: str | None
    label: str
    note: str
    title: str
    right: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A query, and for each model its name (None where it is plain) and its answers."""

    query: Picture
    lines: Sequence[tuple[str | None, Sequence[Picture]]]


@dataclass(frozen=True, slots=True)
class Sheet:
    title: str
    note: str
    rows: Sequence[Row]


def sheets(report: Report, thumbnails: Thumbnails) -> list[Sheet]:
    """Return the worst, the confidently wrong and the best of ``after``; those that only one of two models finds."""
    after, before = report.after, report.before
    first, second = report.names
    lines = [(None, after)]
    chosen = [
        (
            f"Worst queries: {second}",
            "The first right answer is farthest down",
            lines,
            worst(after),
        ),
        (
            f"Worst confident mistakes: {second}",
            "The first answer is wrong, and at the smallest distances",
            lines,
            confident(after),
        ),
        (f"Best queries: {second}", "All that is right comes first", lines, best(after)),
    ]
    made = [
        Sheet(title, f"{note}; one query of a class.", _rows(report, lines, indices, thumbnails))
        for title, note, lines, indices in chosen
    ]
    if before is not None:
        both = [(first, before), (second, after)]
        for finds, misses, indices in (
            (second, first, changed(before, after)),
            (first, second, changed(after, before)),
        ):
            note = "1 query." if len(indices) == 1 else f"{len(indices):,} queries."
            rows = _rows(report, both, indices[:_CHANGED], thumbnails)
            made.append(Sheet(f"Found by {finds}, missed by {misses}", note, rows))
    return made


def worst(measurement: Measurement, count: int = _WORST) -> list[int]:
    """Return the queries whose first right answer is farthest down, then by MAP@R; one of each class."""
    order = np.lexsort((measurement.average_precision, -measurement.ranks))
    return _one_per_class(measurement, order.tolist())[:count]


def confident(measurement: Measurement, count: int = _CONFIDENT) -> list[int]:
    """Return the queries whose first answer is wrong, the nearest of them first; one of each class."""
    wrong = np.flatnonzero(~measurement.hits(1))
    order = wrong[np.argsort(measurement.top_distances[wrong, 0], kind="stable")]
    return _one_per_class(measurement, order.tolist())[:count]


def best(measurement: Measurement, count: int = _BEST) -> list[int]:
    """Return the queries with the highest MAP@R, those with the nearest answer first; one of each class."""
    order = np.lexsort((measurement.top_distances[:, 0], -measurement.average_precision))
    return _one_per_class(measurement, order.tolist())[:count]


def changed(misses: Measurement, finds: Measurement) -> list[int]:
    """Return the queries right at rank 1 in ``finds`` and not in ``misses``, the farthest down there first."""
    indices = np.flatnonzero(finds.hits(1) & ~misses.hits(1))
    order: list[int] = indices[np.argsort(-misses.ranks[indices], kind="stable")].tolist()
    return order


def _one_per_class(measurement: Measurement, order: Iterable[int]) -> list[int]:
    first: dict[str, int] = {}
    for index in order:
        first.setdefault(str(measurement.labels[index]), index)
    return list(first.values())


def _rows(
    report: Report,
    lines: Sequence[tuple[str | None, Measurement]],
    indices: Sequence[int],
    thumbnails: Thumbnails,
) -> list[Row]:
    folder = common_folder(report.after.files)
    return [
        Row(
            _query(report, index, thumbnails, folder),
            [(name, _answers(measured, index, thumbnails, folder)) for name, measured in lines],
        )
        for index in indices
    ]


def _query(report: Report, index: int, thumbnails: Thumbnails, folder: str) -> Picture:
    path = report.after.paths[index]
    rank = f"rank {report.after.ranks[index]:,}"
    if report.before is not None:
        rank = f"rank {report.before.ranks[index]:,} → {report.after.ranks[index]:,}"
    label = str(report.after.labels[index])
    return Picture(thumbnails.uri(path), label, rank, shown(path, folder))


def _answers(
    measured: Measurement, index: int, thumbnails: Thumbnails, folder: str
) -> list[Picture]:
    return [
        Picture(
            thumbnails.uri(answer.path),
            answer.label,
            f"{answer.distance:.2f}",
            shown(answer.path, folder),
            answer.right,
        )
        for answer in measured.answers(index)
    ]
