"""What a command prints, and the files that it writes: checked before the work, written after it."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.table import Table

from gemello.commands.clone import lacks_clone
from gemello.commands.errors import CommandError, OptionInvalid
from gemello.terminal import Terminal, escaped


def check_output(option: str, path: Path | None, suffix: str | None = None) -> None:
    """Refuse a file that could not be written, before hours are spent. Raises ``OptionInvalid``."""
    if path is None:
        return
    if suffix and path.suffix.lower() != suffix:
        raise OptionInvalid(option, f"{path} must end in {suffix}")
    if not path.parent.is_dir():
        raise OptionInvalid(option, f"the folder {path.parent} does not exist")
    if path.is_dir():
        raise OptionInvalid(option, f"{path} is a folder")


def check_report(option: str, path: Path | None) -> None:
    """``check_output`` for a page, and for what draws it. Raises ``CommandError``."""
    check_output(option, path, ".html")
    if path is None:
        return
    try:
        import trainer.report  # noqa: F401
    except ImportError as exc:
        if lacks_clone(exc):
            raise
        raise CommandError(
            f"{option}: a report needs {exc.name}, which is not installed; run `make setup-train`."
        ) from exc


def print_json(answer: Any) -> None:
    """Print a result of the client, or a list of them, as JSON."""
    typer.echo(json.dumps(answer, indent=2, default=asdict))


def print_outcome(as_json: bool, document: Any, sentence: str) -> None:
    """Print the same as JSON, for programs, or as a sentence."""
    if as_json:
        print_json(document)
    else:
        typer.echo(escaped(sentence))


def print_fields(fields: Mapping[str, object]) -> None:
    """Print one field a line: its name, and its value unless that is None."""
    table = Table(show_header=False, box=None, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, value in fields.items():
        if value is not None:
            table.add_row(name, str(value))
    Terminal().print(table, markup=False)


def show_left_out(console: Terminal, bad: Mapping[str, str]) -> None:
    """Print a line for each file that was left out."""
    for path, reason in bad.items():
        # A name that is not valid Unicode could not be printed.
        name = os.fsencode(path).decode(errors="replace")
        console.print(f"left out {name}: {reason}", markup=False, soft_wrap=True)


def write_bytes(option: str, path: Path, data: bytes) -> None:
    """Write a file. Raises ``OptionInvalid`` when the disk refuses."""
    try:
        path.write_bytes(data)
    except OSError as exc:
        raise OptionInvalid(option, f"{path} cannot be written ({exc.strerror})") from exc
