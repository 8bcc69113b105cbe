"""``gemello evaluate``: how well a model retrieves, on your own images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table

from gemello.commands.encoders import (
    Backbone,
    Chosen,
    Model,
    Size,
    Untrained,
    Weights,
    baseline_of,
    choose,
)
from gemello.commands.errors import CommandError
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
    from trainer.evaluate.measurement import Measurement


def register(app: typer.Typer) -> None:
    @app.command()
    def evaluate(
        model: Model = None,
        queries: Queries = None,
        gallery: Gallery = None,
        data: Data = None,
        report: ReportFile = None,
        backbone: Backbone = None,
        untrained: Untrained = False,
        weights: Weights = None,
        input_size: Size = 192,
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Measure recall@1/5/10, MAP@R and R-precision with the code that serves.

        Examples: `gemello evaluate --model mine --queries q/ --gallery g/` or
        `gemello evaluate --backbone efficientnet_lite0 --untrained --data photos/`. Untrained
        features are whitened on up to 2,000 of the images searched, without their labels. With
        `--report`, a published model is shown beside its untrained backbone.
        """
        check_report("--report", report)
        measured_on = images(data, queries, gallery)
        chosen = choose(
            model, backbone, untrained, weights, input_size, store, measured_on.searched
        )
        from trainer.evaluate.comparison import intervals

        measurement = measured_on.measure(chosen.encoder)
        interval_of = intervals(measurement)
        figures = {"model": chosen.title, **measurement.figures()}
        if as_json:
            spans = {name: [round(i.low, 4), round(i.high, 4)] for name, i in interval_of.items()}
            print_json({**figures, "intervals": spans})
        else:
            _show(figures, interval_of)
        if report:
            _report(report, chosen, measured_on, measurement)
            typer.echo(f"wrote {report}", err=as_json)


def _show(figures: dict[str, Any], interval_of: "dict[str, Interval]") -> None:
    table = Table("figure", "value", "95 % interval", title=figures["model"], title_justify="left")
    for name, value in figures.items():
        if name in interval_of:
            interval = interval_of[name]
            table.add_row(name, f"{value:.4f}", f"{interval.low:.4f} … {interval.high:.4f}")
        elif name not in {"model", "bad"}:
            table.add_row(name, str(value))
    console = Terminal()
    console.print(table)
    show_left_out(console, figures["bad"])


def _report(path: Path, chosen: Chosen, measured_on: Images, measurement: "Measurement") -> None:
    from trainer.report import Report, write_report

    manifest = chosen.bundle.manifest if chosen.bundle else None
    training = manifest.training if manifest else {}
    history = training.get("history", {})
    before, name = _baseline(chosen, measured_on)
    write_report(
        path,
        Report(
            title=f"{chosen.title} on {measured_on.name}",
            after=measurement,
            before=before,
            names=("untrained", chosen.title),
            history=history.get("epochs", []),
            untrained_recall=history.get("untrained_validation_recall@1"),
            ladder=history.get("ladder", []),
            calibration=manifest.calibration if manifest else None,
            data={
                "duplicates": duplicates(measurement),
                **({"trained on": manifest.data} if manifest and manifest.data else {}),
            },
            config=training.get("config", {}),
            model={**chosen.description(), **({"compared with": name} if before else {})},
        ),
    )


def _baseline(chosen: Chosen, measured_on: Images) -> "tuple[Measurement | None, str]":
    """The untrained backbone on the same images; a report can do without."""
    from app.errors import GemelloError
    from gemello.progress import say

    if chosen.bundle is None:
        return None, ""
    try:
        baseline = baseline_of(chosen.bundle, measured_on.searched)
    except (CommandError, GemelloError) as exc:
        say(f"The report has no untrained backbone beside the model: {exc}")
        return None, ""
    return measured_on.measure(baseline.encoder, "embedding, untrained"), baseline.title
