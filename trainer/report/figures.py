"""The figures of a report, and the sentence above them."""

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.evaluate.bootstrap import Difference, Interval
from trainer.evaluate.comparison import Comparison, intervals, p, points, span
from trainer.evaluate.measurement import Measurement
from trainer.report.content import Report
from trainer.report.text import ends, percent, with_interval

_FEW_CLASSES = 10
_RECALL_AT = (1, 2, 3, 5, 10, 20, 50)

NAMES = {"map@r": "MAP@R", "r_precision": "R-precision"}


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure, each value with its interval; only ``after`` is there without a second model."""

    figure: str
    after: tuple[str, str]
    before: tuple[str, str] | None = None
    change: tuple[str, str] | None = None
    p: str | None = None


@dataclass(frozen=True, slots=True)
class Headline:
    """One sentence in large letters, and one that says how sure it is."""

    text: str
    detail: str


def figure_rows(report: Report, comparison: Comparison | None) -> list[FigureRow]:
    """Return every figure with its 95 % interval, of both models where there are two."""
    if comparison is None:
        return [
            FigureRow(NAMES.get(name, name), _cell(value))
            for name, value in intervals(report.after).items()
        ]
    return [
        FigureRow(
            NAMES.get(row.figure, row.figure),
            _cell(row.second),
            _cell(row.first),
            (points(row.difference.value), span(row.difference)),
            p(row.difference).removeprefix("p ").removeprefix("= "),
        )
        for row in comparison.rows
    ]


def _cell(interval: Interval) -> tuple[str, str]:
    return percent(interval.value), ends(interval)


@dataclass(frozen=True, slots=True)
class RungRow:
    """A state of the network that was compared on the validation classes; dashes where it could not be.

    ``refused`` says why it was chosen, but is not published; as a rule it is empty.
    """

    name: str
    recall: tuple[str, str]
    average_precision: tuple[str, str]
    published: bool
    refused: str


def ladder_rows(report: Report) -> list[RungRow]:
    """Return the rungs that a training compared, in order."""
    return [
        RungRow(
            str(rung["name"]),
            _measured(rung.get("recall@1")),
            _measured(rung.get("map@r")),
            bool(rung["published"]),
            str(rung.get("refused", "")),
        )
        for rung in report.ladder
    ]


def _measured(figure: Sequence[float] | None) -> tuple[str, str]:
    return ("–", "") if figure is None else _cell(Interval(*figure))


def recall_rows(report: Report) -> list[tuple[int, list[str]]]:
    """Return recall@k for a few k: of ``before`` where there is one, then of ``after``."""
    measured = [m for m in (report.before, report.after) if m is not None]
    return [
        (k, [percent(float(m.hits(k).mean())) for m in measured])
        for k in _RECALL_AT
        if k <= len(report.after.gallery_paths)
    ]


def headline(report: Report, comparison: Comparison | None) -> Headline:
    """Return recall@1 before → after with its interval, and on what it was measured."""
    after = report.after
    classes = len(set(after.labels.tolist()))
    asked = (
        f"{len(after):,} queries of {classes:,} classes, {len(after.gallery_paths):,} images in "
        f"the gallery; {after.protocol}."
    )
    if comparison is None:
        now = intervals(after)["recall@1"]
        return Headline(f"{report.names[1]}: recall@1 {with_interval(now)}", asked)
    if report.comparison:
        return Headline(comparison.conclusion(), asked)
    row = comparison.rows[0]
    return Headline(
        f"Recall@1 {percent(row.first.value)} → {with_interval(row.second)}",
        f"{report.names[0]} → {report.names[1]}: {_verdict(row.difference)} {asked}",
    )


def _verdict(change: Difference) -> str:
    sure = f"95 % interval {span(change)}, {p(change)}"
    if not change.shown:
        return f"no difference shown, {points(change.value)} points ({sure})."
    word = "better" if change.value > 0 else "worse"
    return f"{word} by {abs(100 * change.value):.1f} points ({sure})."


def too_few_classes(measurement: Measurement) -> bool:
    """Return whether intervals over classes are rough: a handful of classes can only be drawn so often."""
    return len(set(measurement.labels.tolist())) < _FEW_CLASSES
