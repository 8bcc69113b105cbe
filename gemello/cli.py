"""The command line: ``gemello COMMAND``. Exit codes: 0 done, 1 refused or failed, 2 misused."""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException

from gemello import __version__
from gemello.client import ApiError, Unreachable
from gemello.commands import clone
from gemello.commands.errors import CommandError
from gemello.gallery_file import GalleryFileError
from gemello.terminal import escaped

COMMANDS = (
    "serve",
    "health",
    "index",
    "search",
    "train",
    "evaluate",
    "compare",
    "rank",
    "report",
    "models",
    "adapt",
    "gallery",
    "duplicates",
    "jobs",
    "verify",
)

app = typer.Typer(
    name="gemello",
    help="Self-hosted image search: train on your own images, serve, find the twins.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _print_version(requested: bool) -> None:
    if requested:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    pass


for _name in COMMANDS:
    import_module(f"gemello.commands.{_name}").register(app)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command, the one that the process was started with unless there are ``arguments``.

    What goes wrong is one sentence on standard error, never a traceback. Raises ``SystemExit``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = app(words, prog_name="gemello", standalone_mode=False)
    except TyperException as exc:
        # Where the help was shown instead of an answer, there is no more to say.
        if message := " ".join(exc.format_message().split()):
            context = getattr(exc, "ctx", None)
            command = context.command_path if context else "gemello"
            _complain(f"{message.rstrip('.')}; see `{command} --help`.")
        code = exc.exit_code
    except (CommandError, ApiError, GalleryFileError, Unreachable) as exc:
        _complain(str(exc))
        code = 1
    except typer.Abort:
        _complain("cancelled; nothing was done.")
        code = 1
    except KeyboardInterrupt:
        _complain("interrupted.")
        code = 130
    except Exception as exc:
        sentence = clone.explanation(exc, command_path(words))
        if sentence is None:
            raise
        _complain(sentence)
        code = 1
    sys.exit(code)


def command_path(arguments: Sequence[str]) -> str:
    """Return the command that ``arguments`` name: ``gemello models show`` for ``models show mine/1``."""
    path, command = ["gemello"], typer.main.get_command(app)
    for argument in arguments:
        if not isinstance(command, TyperGroup) or argument not in command.commands:
            break
        path.append(argument)
        command = command.commands[argument]
    return " ".join(path)


def _complain(sentence: str) -> None:
    sys.stderr.write(f"gemello: {escaped(sentence)}\n")
