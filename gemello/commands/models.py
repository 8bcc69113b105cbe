"""``gemello models``: the published models."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from gemello.client import Client
from gemello.commands.jobs import follow
from gemello.commands.options import DEFAULT, Json, Key, Store, Url, model_store


def register(app: typer.Typer) -> None:
    models = typer.Typer(
        help="List, show, verify and choose published models.", no_args_is_help=True
    )
    app.add_typer(models, name="models")

    @models.command("list")
    def list_all(store: Store = None, as_json: Json = False) -> None:
        """List every published model. Example: `gemello models list`"""
        from app.model_store import list_models

        folder = model_store(store)
        rows = [_row(folder, title) for title in list_models(folder)]
        if as_json:
            typer.echo(json.dumps(rows, indent=2))
            return
        table = Table("model", "active", "backbone", "dimension", "input", "recall@1", "created")
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        Console().print(table)

    @models.command()
    def show(
        model: Annotated[str, typer.Argument(help="name or name/version")] = "default",
        store: Store = None,
    ) -> None:
        """Print a model's manifest as JSON. Example: `gemello models show default`"""
        from app.model_store import resolve

        bundle = resolve(model_store(store), model, verify_files=False)
        typer.echo(bundle.manifest.model_dump_json(indent=2))

    @models.command()
    def verify(
        model: Annotated[str, typer.Argument(help="name or name/version")] = "default",
        store: Store = None,
    ) -> None:
        """Hold every file of a model to its checksum. Example: `gemello models verify default`"""
        from app.model_store import resolve

        bundle = resolve(model_store(store), model)
        typer.echo(f"{bundle.title}: {len(bundle.manifest.files)} files match their checksums.")

    @models.command()
    def use(
        model: Annotated[str, typer.Argument(help="name/version")], store: Store = None
    ) -> None:
        """Make a version the one that serves. Example: `gemello models use default/1`"""
        from app.model_store import activate, resolve

        folder = model_store(store)
        bundle = resolve(folder, model)
        activate(folder, bundle.manifest.name, bundle.manifest.version)
        typer.echo(f"{bundle.title} is active; a service picks it up when it starts.")

    @models.command("activate")
    def activate_now(
        model: Annotated[str, typer.Argument(help="name/version")],
        wait: Annotated[bool, typer.Option(help="Wait until it answers.")] = True,
        url: Url = DEFAULT,
        key: Key = None,
    ) -> None:
        """Let a running service change to a model, without a gap. Example: `gemello models activate mine/1`"""
        name, _, version = model.partition("/")
        if not name or not version:
            raise typer.BadParameter("expected name/version", param_hint="MODEL")
        with Client(url, key=key) as client:
            job = client.activate(name, version)
            if wait:
                follow(client, job.id)
            else:
                typer.echo(job.id)


def _row(store: Path, title: str) -> dict[str, Any]:
    from app.model_store import active_version, resolve

    manifest = resolve(store, title, verify_files=False).manifest
    metrics = manifest.evaluation.metrics if manifest.evaluation else {}
    return {
        "model": title,
        "active": active_version(store, manifest.name) == manifest.version,
        "backbone": manifest.backbone.name,
        "dimension": manifest.dimension,
        "input_size": manifest.input_size,
        "recall@1": metrics.get("recall@1"),
        "created": manifest.created.date().isoformat(),
    }
