"""Files that a command writes: refused before the work, written after it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console

from app.errors import ParameterInvalid, RuntimeUnavailable


def check_output(option: str, path: Path | None, suffix: str | None = None) -> None:
    """Refuse a file that could not be written, before hours are spent. Raises ``ParameterInvalid``."""
    if path is None:
        return
    if suffix and path.suffix.lower() != suffix:
        raise ParameterInvalid(option, f"{path} must end in {suffix}")
    if not path.parent.is_dir():
        raise ParameterInvalid(option, f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise ParameterInvalid(option, f"{path} is a folder")


def check_report(option: str, path: Path | None) -> None:
    """``check_output`` for a page, and for what draws it. Raises ``RuntimeUnavailable``."""
    check_output(option, path, ".html")
    if path is None:
        return
    try:
        import trainer.report  # noqa: F401
    except ImportError as exc:
        raise RuntimeUnavailable(
            "report", f"{exc.name} is not installed; run `make setup-train`"
        ) from exc


def print_json(answer: Any) -> None:
    """A result of the client, or a list of them, as JSON."""
    typer.echo(json.dumps(answer, indent=2, default=asdict))


def show_left_out(console: Console, bad: Mapping[str, str]) -> None:
    """A line for each file that was left out."""
    for path, reason in bad.items():
        # A name that is no valid Unicode could not be printed.
        name = os.fsencode(path).decode(errors="replace")
        console.print(f"left out {name}: {reason}", markup=False, soft_wrap=True)


def write_json(option: str, path: Path, document: dict[str, Any]) -> None:
    """Raises ``ParameterInvalid`` when the disk refuses."""
    # A file's name that is no valid Unicode is written as the escape that JSON has for it.
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise ParameterInvalid(option, f"{path} cannot be written ({exc.strerror})") from exc
