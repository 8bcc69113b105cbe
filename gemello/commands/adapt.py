"""``gemello adapt``: fit a running service's model to its gallery."""

from typing import Annotated

import typer
from rich.table import Table

from gemello.client import Client
from gemello.client.results import PublishedModel
from gemello.commands.errors import CommandError
from gemello.commands.jobs import watch
from gemello.commands.options import DEFAULT, Json, Key, Url
from gemello.commands.outputs import print_json
from gemello.terminal import Terminal


def register(app: typer.Typer) -> None:
    @app.command()
    def adapt(
        model: Annotated[
            str | None, typer.Argument(help="name/version; default: the model that answers")
        ] = None,
        name: Annotated[str, typer.Option(help="Name to publish the new model by.")] = "adapted",
        force: Annotated[
            bool, typer.Option(help="Change though labelled images find their like less well.")
        ] = False,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Adapt a running service's model to its gallery, without labels, and switch to it.

        Example: `gemello adapt --name mine`
        """
        with Client(url, key=key) as client:
            old = _served(client)
            base, _, version = (model or old).partition("/")
            if not base or not version:
                raise typer.BadParameter("expected name/version", param_hint="MODEL")
            job = watch(
                client,
                client.adapt(base, version, new_name=name, force=force).id,
                "adapting",
            )
            if job.state != "succeeded":
                raise CommandError(job.reason or f"The job {job.id} was {job.state}.")
            adapted = next(one for one in client.models() if one.base and one.base.job == job.id)
        if as_json:
            print_json(adapted)
        else:
            _show(adapted, old)


def _served(client: Client) -> str:
    model = client.health().model
    return f"{model.name}/{model.version}"


def _show(adapted: PublishedModel, old: str) -> None:
    title, base = f"{adapted.name}/{adapted.version}", adapted.base
    if base is None:
        raise ValueError(f"{title} was not adapted")
    typer.echo(f"{title} answers: {base.model}, adapted to {base.images:,} images of the gallery.")
    if adapted.metrics and base.metrics:
        table = Table("", "before", "after")
        for figure, after in adapted.metrics.items():
            table.add_row(figure, f"{base.metrics[figure]:.3f}", f"{after:.3f}")
        Terminal().print(table)
        typer.echo("Measured on labelled images of the gallery, which it was adapted to.")
    else:
        typer.echo("No figures: no two images of the gallery have the same label.")
    typer.echo(f"To go back: gemello models activate {old}")
