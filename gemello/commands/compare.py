"""``gemello compare A B``: two models on the same images, and whether one is better."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from gemello.commands.encoders import Chosen, named
from gemello.commands.measuring import (
    Data,
    Gallery,
    Images,
    Queries,
    ReportFile,
    duplicates,
    images,
)
from gemello.commands.options import Json, Store
from gemello.commands.outputs import check_report, print_json, show_left_out
from gemello.terminal import Terminal

if TYPE_CHECKING:
    from trainer.evaluate.bootstrap import Interval
    from trainer.evaluate.comparison import Comparison

_HELP = "name, name/version, or untrained:BACKBONE[@SIZE]"


def register(app: typer.Typer) -> None:
    @app.command()
    def compare(
        first: Annotated[str, typer.Argument(metavar="A", help=_HELP)],
        second: Annotated[str, typer.Argument(metavar="B", help=_HELP)],
        queries: Queries = None,
        gallery: Gallery = None,
        data: Data = None,
        report: ReportFile = None,
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Measure two models on the same queries, and say whether one is better.

        Example: `gemello compare default untrained:efficientnet_lite0@128 --data photos/`
        """
        check_report("--report", report)
        measured_on = images(data, queries, gallery)
        # Both are loaded first: a name that is wrong is refused before anything is measured.
        searched = measured_on.searched
        models = named(first, store, searched), named(second, store, searched)
        from trainer.evaluate.comparison import compare as run

        a, b = (measured_on.measure(model.encoder, model.title) for model in models)
        comparison = run(a, b, (models[0].title, models[1].title))
        if as_json:
            print_json(comparison.as_json())
        else:
            _show(comparison)
        if report:
            _report(report, models, measured_on, comparison)
            typer.echo(f"wrote {report}", err=as_json)


def _show(comparison: "Comparison") -> None:
    from trainer.evaluate.comparison import p, points, span

    table = Table("figure", *comparison.names, "difference, points", "p-value")
    for row in comparison.rows:
        change = row.difference
        table.add_row(
            row.figure,
            _cell(row.first),
            _cell(row.second),
            f"{points(change.value)} ({span(change)})",
            p(change),
        )
    console = Terminal()
    console.print(table)
    queries = f"{len(comparison.second)} queries; {comparison.second.protocol}."
    console.print(queries, markup=False, highlight=False, soft_wrap=True)
    show_left_out(console, {**comparison.first.bad, **comparison.second.bad})
    console.print(comparison.conclusion(), markup=False, highlight=False, soft_wrap=True)


def _cell(interval: "Interval") -> str:
    return f"{interval.value:.4f} ({interval.low:.4f} … {interval.high:.4f})"


def _report(
    path: Path, models: tuple[Chosen, Chosen], measured_on: Images, comparison: "Comparison"
) -> None:
    from trainer.report import Report, write_report

    first, second = models
    write_report(
        path,
        Report(
            title=f"{first.title} and {second.title} on {measured_on.name}",
            after=comparison.second,
            before=comparison.first,
            names=comparison.names,
            calibration=second.bundle.manifest.calibration if second.bundle else None,
            data={"duplicates": duplicates(comparison.second)},
            model={"A": first.description(), "B": second.description()},
            comparison=True,
        ),
    )
