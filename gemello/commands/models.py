"""``gemello models``: the published models."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from gemello.client import Client
from gemello.commands import model_import
from gemello.commands.jobs import follow
from gemello.commands.options import DEFAULT, Json, Key, Store, Url, model_store
from gemello.commands.outputs import print_fields, print_json, print_outcome
from gemello.terminal import Terminal

if TYPE_CHECKING:
    from app.bundle.model_store import Bundle


def register(app: typer.Typer) -> None:
    models = typer.Typer(
        help="List, show, verify, choose, activate and import models.", no_args_is_help=True
    )
    app.add_typer(models, name="models")
    model_import.register(models)

    @models.command("list")
    def list_all(store: Store = None, as_json: Json = False) -> None:
        """List every published model.

        Example: `gemello models list`
        """
        from app.bundle.model_store import list_models

        folder = model_store(store)
        rows = [_row(folder, title) for title in list_models(folder)]
        if as_json:
            print_json(rows)
            return
        table = Table("model", "active", "backbone", "dimension", "input", "recall@1", "created")
        for row in rows:
            table.add_row(*(str(value) for value in row.values()))
        Terminal().print(table)

    @models.command()
    def show(
        model: Annotated[str, typer.Argument(help="name or name/version")] = "default",
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Show what a model is and how well it does; with `--json` its manifest.

        Example: `gemello models show default`
        """
        from app.bundle.model_store import resolve

        bundle = resolve(model_store(store), model, verify_files=False)
        if as_json:
            typer.echo(bundle.manifest.model_dump_json(indent=2))
        else:
            print_fields(_fields(bundle))

    @models.command()
    def verify(
        model: Annotated[str, typer.Argument(help="name or name/version")] = "default",
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Check every file of a model against its checksum.

        Example: `gemello models verify default`
        """
        from app.bundle.model_store import resolve

        bundle = resolve(model_store(store), model)
        count = len(bundle.manifest.files)
        print_outcome(
            as_json,
            {"model": bundle.title, "files": count},
            f"{bundle.title}: {count} files match their checksums.",
        )

    @models.command("set-default")
    def set_default(
        model: Annotated[str, typer.Argument(help="name/version")],
        store: Store = None,
        as_json: Json = False,
    ) -> None:
        """Make a version the one that its name alone means.

        Example: `gemello models set-default default/2`
        """
        from app.bundle.model_store import activate, resolve

        folder = model_store(store)
        bundle = resolve(folder, model)
        activate(folder, bundle.manifest.name, bundle.manifest.version)
        print_outcome(
            as_json,
            {"active": bundle.title},
            f"{bundle.title} is the default; a service takes it when it starts.",
        )

    @models.command("activate")
    def activate_now(
        model: Annotated[str, typer.Argument(help="name/version")],
        wait: Annotated[bool, typer.Option(help="Wait until it serves.")] = True,
        url: Url = DEFAULT,
        key: Key = None,
        as_json: Json = False,
    ) -> None:
        """Switch a running service to a model, without a gap.

        Example: `gemello models activate mine/1`
        """
        name, _, version = model.partition("/")
        if not name or not version:
            raise typer.BadParameter("expected name/version", param_hint="MODEL")
        with Client(url, key=key) as client:
            job = client.activate(name, version)
            if wait:
                follow(client, job.id, as_json)
            elif as_json:
                print_json(job)
            else:
                typer.echo(job.id)


def _fields(bundle: "Bundle") -> dict[str, object]:
    manifest, evaluation = bundle.manifest, bundle.manifest.evaluation
    calibration = manifest.calibration
    figures = evaluation.metrics if evaluation else {}
    base, encoder = manifest.base, manifest.training.get("encoder", {})
    imported = manifest.training.get("imported") or encoder.get("imported", {})
    return {
        "model": bundle.title,
        "folder": bundle.path,
        "created": manifest.created.date().isoformat(),
        "backbone": f"{manifest.backbone.name} ({manifest.backbone.licence})",
        "imported from": imported.get("file"),
        "trained on": encoder and f"the features of {encoder['model']}",
        "input": f"{manifest.input_size} px, {manifest.preprocessing.resize}",
        "dimension": manifest.dimension,
        "calibrated": calibration
        and f"on {calibration.images} images of {calibration.classes} classes",
        "adapted from": base and f"{base.model}, to {base.images:,} images of a gallery",
        "measured": evaluation and evaluation.protocol,
        **{name: f"{value:.4f}" for name, value in figures.items()},
        "files": len(manifest.files),
        "id": manifest.model_id,
    }


def _row(store: Path, title: str) -> dict[str, Any]:
    from app.bundle.model_store import active_version, resolve

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
