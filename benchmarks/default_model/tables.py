"""The checks' results as tables for a terminal, as Markdown for a model card, and as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

from benchmarks.default_model.encoder_speed import Speed
from benchmarks.default_model.scores import Result
from trainer.evaluate.bootstrap import Interval
from trainer.evaluate.comparison import p, points, span

# In this order; a part shows its first answer only.
FIGURES = {"recall@1": "recall@1", "recall@5": "recall@5", "map@r": "MAP@R"}


@dataclass(frozen=True, slots=True)
class AtSize:
    """All results and speeds of one input size; speeds are untrained, trained."""

    size: int
    results: Sequence[Result]
    speeds: tuple[Speed, Speed]


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of text."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def rich(self) -> Table:
        table = Table(title=self.title, title_justify="left")
        for place, name in enumerate(self.header):
            table.add_column(name, justify="left" if place == 0 else "right")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self) -> str:
        rule = ["---"] + ["---:"] * (len(self.header) - 1)
        lines = (self.header, rule, *self.rows)
        return "\n".join([f"{self.title}\n", *("| " + " | ".join(row) + " |" for row in lines)])


def quality_grid(found: AtSize, names: tuple[str, str]) -> Grid:
    """Every check with its figures and intervals, every part with its recall@1."""
    rows = []
    for result in found.results:
        # An original is the only right answer of its copy, so MAP@R would be recall@1 again.
        shown = ("recall@1",) if result.part else _figures(result)
        for figure in shown:
            row = result.row(figure)
            title = f"· {result.part}" if result.part else result.check
            rows.append(
                (
                    title if figure == "recall@1" else "",
                    f"{result.queries:,} in {result.gallery:,}" if figure == "recall@1" else "",
                    FIGURES[figure],
                    _with_interval(row.first),
                    _with_interval(row.second),
                    f"{points(row.difference.value)} ({span(row.difference)})",
                    p(row.difference),
                )
            )
    header = ("check", "queries", "figure", *names, "difference in points (95 %)", "p-value")
    return Grid(f"At {found.size} px, with 95 % bootstrap intervals", header, rows)


def size_grid(found: Sequence[AtSize], names: tuple[str, str]) -> Grid:
    """Quality against speed: a row for each size and model, a column for each check."""
    wholes = [result for result in found[0].results if result.part is None] if found else []
    header = [
        "px",
        "model",
        "one image, ms",
        "images/s",
        *(f"{result.check} {FIGURES[f]}" for result in wholes for f in _table_figures(result)),
    ]
    rows = []
    for at in found:
        by_check = {result.check: result for result in at.results if result.part is None}
        for place, name in enumerate(names):
            speed = at.speeds[place]
            cells = []
            for result in (by_check[whole.check] for whole in wholes):
                for figure in _table_figures(result):
                    row = result.row(figure)
                    cells.append(f"{(row.second if place else row.first).value:.3f}")
            rows.append(
                (str(at.size), name, f"{speed.single_ms:.1f}", f"{speed.images_per_s:.0f}", *cells)
            )
    return Grid("Quality against speed (OpenVINO, float32)", header, rows)


def as_json(found: Sequence[AtSize]) -> list[dict[str, Any]]:
    return [
        {
            "input_size": at.size,
            "speed": {"untrained": asdict(at.speeds[0]), "trained": asdict(at.speeds[1])},
            "checks": [
                {
                    "check": result.check,
                    "part": result.part,
                    "queries": result.queries,
                    "gallery": result.gallery,
                    "figures": {
                        row.figure: {
                            "untrained": _rounded(asdict(row.first)),
                            "trained": _rounded(asdict(row.second)),
                            "difference": _rounded(asdict(row.difference)),
                        }
                        for row in result.rows
                    },
                }
                for result in at.results
            ],
        }
        for at in found
    ]


def _figures(result: Result) -> Sequence[str]:
    """All three, but where every query has one right answer, MAP@R says what recall@1 says."""
    first, last = result.row("recall@1"), result.row("map@r")
    same = first.first == last.first and first.second == last.second
    return ("recall@1", "recall@5") if same else tuple(FIGURES)


def _table_figures(result: Result) -> Sequence[str]:
    """Photographs grouped by kind have many right answers, of which recall@1 sees one."""
    return ("recall@1", "map@r") if result.check.startswith("photographs") else ("recall@1",)


def _with_interval(found: Interval) -> str:
    return f"{found.value:.3f} ({found.low:.3f}–{found.high:.3f})"


def _rounded(numbers: Mapping[str, float]) -> dict[str, float]:
    return {name: round(value, 5) for name, value in numbers.items()}
