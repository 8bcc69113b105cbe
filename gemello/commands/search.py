"""``gemello search IMAGE``: ask a running service."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from gemello.client import Client
from gemello.commands.options import DEFAULT, Json, Key, Url


def register(app: typer.Typer) -> None:
    @app.command()
    def search(
        image: Annotated[
            Path, typer.Argument(help="The query image.", exists=True, dir_okay=False)
        ],
        top_k: Annotated[
            int, typer.Option("--top-k", "-k", min=1, max=1000, help="How many.")
        ] = 10,
        offset: Annotated[int, typer.Option(min=0, help="How many to pass over first.")] = 0,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Show the gallery's images that are most like IMAGE, nearest first.

        Example: `gemello search shoe.jpg -k 5`
        """
        with Client(url, key=key) as client:
            answer = client.search(image, top_k=top_k, offset=offset)
        if as_json:
            typer.echo(json.dumps(answer, indent=2))
            return
        if not answer["results"]:
            typer.echo("No image." if answer["total"] else "The gallery is empty.")
            return
        table = Table(
            title=f"{image.name} in {answer['total']} images, {answer['took_ms']:.0f} ms",
            title_justify="left",
        )
        for heading in ("rank", "distance", "score"):
            table.add_column(heading, justify="right")
        for heading in ("match", "label", "filename", "id"):
            table.add_column(heading, overflow="fold")
        for result in answer["results"]:
            score, match = result["score"], result.get("match")
            table.add_row(
                str(result["rank"]),
                f"{result['distance']:.4f}",
                "" if score is None else f"{score:.0%}",
                "" if match is None else "yes" if match else "no",
                result["label"] or "",
                result["filename"] or "",
                result["id"],
            )
        # The nearest comes first: when it is no match, none is.
        if offset == 0 and answer["results"][0].get("match") is False:
            typer.echo("No match: the nearest images are farther than the model's threshold.")
        Console().print(table, markup=False)
