"""``gemello search IMAGE…``: ask a running service."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from gemello.client import Client
from gemello.client.calls.searches import Combine
from gemello.client.results import SearchAnswer
from gemello.commands.options import DEFAULT, FilterText, Json, Key, Url, parsed_box, parsed_filter
from gemello.commands.outputs import print_json
from gemello.terminal import Terminal


def register(app: typer.Typer) -> None:
    @app.command()
    def search(
        images: Annotated[
            list[Path] | None,
            typer.Argument(
                metavar="IMAGE", help="The query image, or several.", exists=True, dir_okay=False
            ),
        ] = None,
        ids: Annotated[
            list[str] | None,
            typer.Option("--id", help="A stored image to search with; repeatable."),
        ] = None,
        top_k: Annotated[
            int, typer.Option("--top-k", "-k", min=1, max=1000, help="How many results.")
        ] = 10,
        offset: Annotated[int, typer.Option(min=0, help="How many results to skip first.")] = 0,
        filter_: FilterText = None,
        group_by: Annotated[
            str | None, typer.Option(help="Show the nearest image of each value of this key.")
        ] = None,
        max_distance: Annotated[
            float | None, typer.Option(min=0, help="Leave out what is farther away.")
        ] = None,
        min_score: Annotated[
            float | None, typer.Option(min=0, max=1, help="Leave out what is less likely a match.")
        ] = None,
        box: Annotated[
            str | None,
            typer.Option(help="Search with this part of the image alone: x1,y1,x2,y2 in 0–1."),
        ] = None,
        flip: Annotated[bool, typer.Option("--flip", help="Find mirror images, too.")] = False,
        combine: Annotated[
            Combine,
            typer.Option(help="Distance from several images: to the nearest, or to their mean."),
        ] = "best",
        unlike: Annotated[
            list[Path] | None,
            typer.Option(
                help="An image that results must not be nearer to; repeatable.",
                exists=True,
                dir_okay=False,
            ),
        ] = None,
        match_false_alarms: Annotated[
            float | None,
            typer.Option(
                min=0.000001,
                max=0.5,
                help="Part of the queries without a match that may be told of one.",
            ),
        ] = None,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Show the gallery's images that are most like IMAGE, nearest first.

        Examples: `gemello search shoe.jpg -k 5`, `gemello search shoe.jpg --filter '{"stock": true}'
        --group-by product`
        """
        like: list[Path | bytes | str] = [*(images or []), *(ids or [])]
        if not like:
            raise typer.BadParameter("give an image, or --id", param_hint="IMAGE")
        with Client(url, key=key) as client:
            answer = client.search(
                *like,
                top_k=top_k,
                offset=offset,
                max_distance=max_distance,
                min_score=min_score,
                match_false_alarms=match_false_alarms,
                filter=parsed_filter(filter_),
                group_by=group_by,
                flip=flip,
                box=parsed_box(box),
                combine=combine,
                unlike=unlike or [],
            )
        if as_json:
            print_json(answer)
            return
        _show(answer, images[0].name if images else str(like[0]), filtered=filter_ is not None)


def _show(answer: SearchAnswer, name: str, *, filtered: bool) -> None:
    if not answer.results:
        empty = "No image satisfies the filter." if filtered else "The gallery is empty."
        typer.echo("No match." if answer.total else empty)
        return
    table = Table(
        title=f"{name} in {answer.total} images, {answer.took_ms:.0f} ms", title_justify="left"
    )
    for heading in ("rank", "distance", "score"):
        table.add_column(heading, justify="right")
    for heading in ("match", "label", "filename", "id"):
        table.add_column(heading, overflow="fold")
    for result in answer.results:
        score, match = result.score, result.match
        table.add_row(
            str(result.rank),
            f"{result.distance:.4f}",
            "" if score is None else f"{score:.0%}",
            "" if match is None else "yes" if match else "no",
            result.label or "",
            result.filename or "",
            result.id,
        )
    if answer.match is False:
        typer.echo("No match: images that do not match come as near as the nearest of these.")
    if answer.calibration == "model":
        typer.echo(
            "The verdicts are not calibrated for this gallery: it has too few labelled images."
        )
    Terminal().print(table, markup=False)
