"""``gemello evaluate``: how well a model retrieves, on your own images."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from app.errors import ParameterInvalid
from gemello.commands.encoders import Backbone, Model, Size, Untrained, Weights, chosen_encoder
from gemello.commands.options import Store


def register(app: typer.Typer) -> None:
    @app.command()
    def evaluate(
        model: Model = None,
        queries: Annotated[Path | None, typer.Option(help="Class folders to search with.")] = None,
        gallery: Annotated[Path | None, typer.Option(help="Class folders to search in.")] = None,
        data: Annotated[
            Path | None,
            typer.Option(help="Class folders or CSV: each image searched in the others."),
        ] = None,
        out: Annotated[
            Path | None, typer.Option("--json", help="Write the figures here, too.")
        ] = None,
        backbone: Backbone = None,
        untrained: Untrained = False,
        weights: Weights = None,
        input_size: Size = 128,
        store: Store = None,
    ) -> None:
        """Measure recall@1/5/10, MAP@R and R-precision with the code that serves.

        Examples: `gemello evaluate --model mine --queries q/ --gallery g/` or
        `gemello evaluate --backbone efficientnet_lite0 --untrained --data photos/`
        """
        given = tuple(folder is not None for folder in (data, queries, gallery))
        if given not in {(True, False, False), (False, True, True)}:
            raise ParameterInvalid("--data", "give either --data, or --queries and --gallery")
        encoder, title = chosen_encoder(model, backbone, untrained, weights, input_size, store)
        from trainer.data import read_data
        from trainer.evaluate import evaluate_data, evaluate_queries
        from trainer.progress import track

        total = sum(len(read_data(folder)) for folder in (data, queries, gallery) if folder)
        with track("embedding", total) as advance:
            if queries and gallery:
                figures = evaluate_queries(encoder, queries, gallery, advance)
            elif data:
                figures = evaluate_data(encoder, data, advance)
        figures = {"model": title, **figures}
        if out:
            out.write_text(json.dumps(figures, indent=2, ensure_ascii=False) + "\n")
        _show(figures)


def _show(figures: dict[str, Any]) -> None:
    table = Table("figure", "value", title=figures["model"], title_justify="left")
    for name, value in figures.items():
        if name not in {"model", "bad"}:
            table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    console = Console()
    console.print(table)
    for path, reason in figures["bad"].items():
        console.print(f"left out {path}: {reason}", markup=False, soft_wrap=True)
