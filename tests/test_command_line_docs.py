"""docs/command_line.md names every command, and the exit codes are what it says."""

import re
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from gemello.cli import app
from tests.support.serving import free_port
from tests.test_commands import run

PAGE = (Path(__file__).parents[1] / "docs" / "command_line.md").read_text()


def commands(group: TyperGroup, above: str = "gemello") -> list[str]:
    names = []
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            names += commands(command, f"{above} {name}")
        else:
            names.append(f"{above} {name}")
    return names


def test_every_command_is_on_the_page() -> None:
    tree = typer.main.get_command(app)
    assert isinstance(tree, TyperGroup)
    rows = re.findall(r"^\| (`gemello .*?) \|", PAGE, re.MULTILINE)
    named = set()
    for row in rows:
        first, *others = re.findall(r"`([^`]*)`", row)
        words = [word for word in first.split() if word.isalpha() and word.islower()]
        named.add(" ".join(words))
        named |= {" ".join([*words[:-1], other]) for other in others}
    assert named == set(commands(tree))


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--version",), 0),
        (("health", "--url", f"http://127.0.0.1:{free_port()}"), 1),
        (("search", "--nonsense"), 2),
    ],
    ids=["done", "failed", "misused"],
)
def test_exit_codes_are_those_of_the_page(arguments: tuple[str, ...], code: int) -> None:
    assert f"| {code} |" in PAGE
    assert run(*arguments).returncode == code
