"""The command line: ``gemello COMMAND``. Exit codes: 0 done, 1 refused or failed, 2 misused."""

import sys
from importlib import import_module
from typing import Annotated

import typer
from typer.exceptions import TyperException

from app import __version__
from app.errors import GemelloError
from gemello.archive import ArchiveError
from gemello.client import ApiError, Unreachable

app = typer.Typer(
    name="gemello",
    help="Self-hosted image search: train on your own images, serve, find the twins.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


for _name in (
    "serve",
    "health",
    "index",
    "search",
    "train",
    "republish",
    "evaluate",
    "compare",
    "rank",
    "report",
    "models",
    "gallery",
    "duplicates",
    "jobs",
):
    import_module(f"gemello.commands.{_name}").register(app)


def main() -> None:
    """Run a command; what goes wrong is one sentence on standard error, never a traceback."""
    try:
        code = app(prog_name="gemello", standalone_mode=False)
    except TyperException as exc:
        # Where the help was shown in place of an answer, there is no more to say.
        if said := " ".join(exc.format_message().split()):
            context = getattr(exc, "ctx", None)
            command = context.command_path if context else "gemello"
            _say(f"{said.rstrip('.')}; `{command} --help` has what can be given.")
        code = exc.exit_code
    except (GemelloError, ApiError, ArchiveError, Unreachable) as exc:
        _say(str(exc))
        code = 1
    except typer.Abort:
        _say("given up; nothing was done.")
        code = 1
    except KeyboardInterrupt:
        _say("interrupted.")
        code = 130
    sys.exit(code)


def _say(sentence: str) -> None:
    sys.stderr.write(f"gemello: {sentence}\n")
