"""Shared by the commands that publish a model: options, the cache's folder, the last lines."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gemello.commands.errors import OptionInvalid
from gemello.commands.outputs import print_json

if TYPE_CHECKING:
    from app.bundle.model_store import Bundle

Cache = Annotated[
    Path | None,
    typer.Option(help="Folder for decoded images and features; default ~/.cache/gemello."),
]


def dotted(settings: Sequence[str] | None) -> dict[str, object]:
    """Return what ``--set`` was given, ``{"loss.margin": "0.2"}``. Raises ``OptionInvalid``."""
    parsed: dict[str, object] = {}
    for setting in settings or ():
        key, equals, value = setting.partition("=")
        if not equals:
            raise OptionInvalid("--set", f"expected KEY=VALUE, got {setting!r}")
        parsed[key] = value
    return parsed


def cache_folder() -> Path:
    """Return the folder for decoded images where ``--cache`` names none."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gemello"


def show_published(bundle: "Bundle", as_json: bool) -> None:
    """Print where a new model and its report are, and how to serve it."""
    from app.bundle.model_store import active_version

    report, evaluation = bundle.path / "report" / "index.html", bundle.manifest.evaluation
    activated = active_version(bundle.path.parents[1], bundle.manifest.name)
    serves = activated == bundle.manifest.version
    if as_json:
        print_json(
            {
                "model": bundle.title,
                "id": bundle.manifest.model_id,
                "activated": serves,
                "folder": str(bundle.path),
                "report": str(report) if report.is_file() else None,
                "metrics": evaluation.metrics if evaluation else None,
            }
        )
        return
    typer.echo(f"published {bundle.title} in {bundle.path}")
    if report.is_file():
        typer.echo(f"its report: {report}")
    if not serves:
        typer.echo(f"not activated: {bundle.manifest.name} stays at version {activated}")
    name = bundle.manifest.name if serves else bundle.title
    typer.echo(f"serve it with: GEMELLO_MODEL={name} gemello serve")
