"""Options that several commands share."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from gemello.client import DEFAULT_URL

Url = Annotated[
    str, typer.Option("--url", envvar="GEMELLO_URL", help="Address of the running service.")
]
Key = Annotated[
    str | None,
    typer.Option("--key", envvar="GEMELLO_KEY", help="Key of the service, if it asks for one."),
]
Json = Annotated[bool, typer.Option("--json", help="Print the answer as JSON on standard output.")]
Store = Annotated[
    Path | None,
    typer.Option("--store", help="Folder of published models; default: GEMELLO_MODEL_STORE."),
]
DataDir = Annotated[
    Path | None,
    typer.Option("--data-dir", help="Folder of the gallery; default: GEMELLO_DATA_DIR."),
]

FilterText = Annotated[
    str | None,
    typer.Option("--filter", help='JSON on metadata, as in \'{"price": {"lt": 9}}\'.'),
]

DEFAULT = DEFAULT_URL


def parsed_filter(text: str | None) -> dict[str, Any] | None:
    """Return a filter's JSON object; the service says what is wrong inside. Raises ``BadParameter``."""
    return parsed_object(text, "--filter")


def parsed_object(text: str | None, option: str) -> dict[str, Any] | None:
    """Return the JSON object that ``option`` was given. Raises ``BadParameter``."""
    if text is None:
        return None
    try:
        value = json.loads(text)
    except ValueError as exc:
        raise typer.BadParameter(f"{text!r} is not JSON", param_hint=option) from exc
    if not isinstance(value, dict):
        raise typer.BadParameter(f"{text!r} is not a JSON object", param_hint=option)
    return value


def parsed_box(text: str | None) -> tuple[float, float, float, float] | None:
    """Return the four numbers of ``x1,y1,x2,y2``. Raises ``BadParameter``."""
    if text is None:
        return None
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter("expected x1,y1,x2,y2", param_hint="--box") from exc
    return left, top, right, bottom


def model_store(folder: Path | None) -> Path:
    """Return the folder of models: this one, or that of the service's settings."""
    from app.config import load_settings

    return folder or load_settings().model_store


def data_dir(folder: Path | None) -> Path:
    """Return the folder of the gallery: this one, or that of the service's settings."""
    from app.config import load_settings

    return folder or load_settings().data_dir
