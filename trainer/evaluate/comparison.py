"""Two models on the same queries: which is better, and how sure that is."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trainer.errors import DataError
from trainer.evaluate.bootstrap import Difference, Interval, difference, interval
from trainer.evaluate.measurement import Measurement, on_same_queries


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of both models, and their paired difference, ``second − first``."""

    figure: str
    first: Interval
    second: Interval
    difference: Difference


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """``first`` and ``second`` hold the same queries, row by row."""

    names: tuple[str, str]
    first: Measurement
    second: Measurement
    rows: Sequence[Row]

    def conclusion(self) -> str:
        """Return one plain sentence on recall@1."""
        change = self.rows[0].difference
        figures = f"{points(change.value)} points recall@1, 95 % {span(change)}, {p(change)}"
        if not change.shown:
            return f"No difference shown between {self.names[0]} and {self.names[1]}: {figures}."
        better = self.names[change.value > 0]
        return f"{better} is better: {figures}."

    def as_json(self) -> dict[str, Any]:
        """Return the figures of both, differences with interval and p-value, and the conclusion."""
        return {
            "models": list(self.names),
            "protocol": self.second.protocol,
            "queries": len(self.second),
            "gallery": [len(self.first.gallery_paths), len(self.second.gallery_paths)],
            "figures": {
                row.figure: {
                    "first": _numbers(row.first),
                    "second": _numbers(row.second),
                    "difference": {
                        **_numbers(row.difference),
                        "p_value": round(row.difference.p_value, 5),
                    },
                }
                for row in self.rows
            },
            "conclusion": self.conclusion(),
            "bad": {**self.first.bad, **self.second.bad},
        }


def compare(first: Measurement, second: Measurement, names: tuple[str, str]) -> Comparison:
    """Compare on the queries that both could read. Raises ``DataError`` when there are none."""
    first, second = on_same_queries(first, second)
    if not len(first):
        raise DataError("The two models have no query in common, so there is nothing to compare.")
    classes = second.labels
    ours, theirs = first.per_query(), second.per_query()
    rows = [
        Row(
            figure,
            interval(ours[figure], classes),
            interval(theirs[figure], classes),
            difference(ours[figure], theirs[figure], classes),
        )
        for figure in ours
    ]
    return Comparison(names, first, second, rows)


def intervals(measurement: Measurement) -> dict[str, Interval]:
    """Return every figure with its 95 % interval."""
    return {
        figure: interval(values, measurement.labels)
        for figure, values in measurement.per_query().items()
    }


def points(value: float) -> str:
    """Return a difference of parts in percentage points, with its sign: ``+3.1``."""
    return f"{100 * value:+.1f}".replace("-", "−")


def span(values: Interval) -> str:
    """Return a difference's interval in percentage points: ``+1.2 … +5.0``."""
    return f"{points(values.low)} … {points(values.high)}"


def p(values: Difference) -> str:
    return "p < 0.001" if values.p_value < 0.001 else f"p = {values.p_value:.3f}"


def _numbers(values: Interval) -> dict[str, float]:
    return {
        "value": round(values.value, 4),
        "low": round(values.low, 4),
        "high": round(values.high, 4),
    }
