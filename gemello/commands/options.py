"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from gemello.client import DEFAULT_URL

Url = Annotated[
    str, typer.Option("--url", envvar="GEMELLO_URL", help="Address of the running service.")
]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="GEMELLO_KEY", help="Key of the service, if it asks for one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of published models; default: GEMELLO_MODEL_STORE."),
]

DEFAULT = DEFAULT_URL


def model_store(given: Path | None) -> Path:
    """The folder of models: as given, or as the service would have it."""
    from app.config import load_settings

    return given or load_settings().model_store
