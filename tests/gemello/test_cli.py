"""The command line: its page, exit codes, one sentence on failure, never a traceback."""

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from gemello import __version__
from gemello.cli import app, command_path
from tests.support.command_line import refusal, run, run_process
from tests.support.paths import ROOT
from tests.support.serving import free_port

PAGE = (ROOT / "docs" / "command_line.md").read_text()


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


def test_nobody_there_is_one_sentence(photos: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for command in (("search", photos / "top.png"), ("index", photos), ("health",)):
        assert f"No Gemello answers at {url}" in refusal(run(*command, "--url", url))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("search", "missing.png"),
            "'IMAGE': file 'missing.png' does not exist; see `gemello search",
        ),
        (("search", "pyproject.toml", "-k", "0"), "greater than or equal to 1"),
        (("search",), "give an image, or --id"),
        (("index", "missing"), "missing does not exist"),
        (("serve", "--port", "many"), "Invalid value for '--port'"),
        (("gallery", "list", "--nope"), "No such option: --nope"),
        (("nonsense",), "No such command 'nonsense'; see `gemello --help`"),
    ],
)
def test_misuse_is_one_sentence_and_told_from_failure(
    arguments: tuple[str, ...], sentence: str
) -> None:
    done = run(*arguments, GEMELLO_URL="http://127.0.0.1:1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("gemello: ")
    assert sentence in done.stderr


def test_no_command_at_all_is_the_help() -> None:
    for arguments in ((), ("gallery",)):
        done = run(*arguments)
        assert done.returncode == 2
        assert "Usage: gemello" in done.stdout + done.stderr
        assert "gemello: " not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("gallery", "show", "none"), "no image with the id 'none'"),
        (("gallery", "delete", "none"), "no image with the id 'none'"),
        (("gallery", "list", "--filter", '{"a": {"above": 1}}'), "operator"),
        (("jobs", "show", "none"), "no job with the id 'none'"),
        (("models", "activate", "tiny/9"), "no model 'tiny/9'"),
        (("search", "--id", "none"), "no image with the id 'none'"),
    ],
)
def test_what_the_service_refuses_is_one_sentence(
    stored: str, arguments: tuple[str, ...], sentence: str
) -> None:
    done = run(*arguments, GEMELLO_URL=stored)
    assert sentence in refusal(done)


@pytest.mark.parametrize(
    "arguments",
    [
        ("gallery", "list", "--filter", "x"),
        ("gallery", "list", "--filter", "[]"),
        ("gallery", "delete"),
        ("gallery", "delete", "a", "--filter", "{}"),
        ("gallery", "set", "a", "--metadata", "[]"),
        ("gallery", "image", "a"),
        ("search",),
        ("search", "--id", "a", "--box", "1,2"),
        ("models", "activate", "tiny"),
    ],
)
def test_a_misused_command_says_how_it_is_used(arguments: tuple[str, ...]) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert f"see `gemello {arguments[0]}" in done.stderr
    assert done.stderr.endswith("--help`.\n")


@pytest.mark.parametrize(
    "command",
    [
        ("gallery", "list"),
        ("gallery", "show", "a"),
        ("gallery", "export", "never.zip"),
        ("duplicates",),
        ("jobs", "list"),
        ("models", "activate", "tiny/1"),
    ],
)
def test_every_command_says_that_nobody_is_there(command: tuple[str, ...], tmp_path: Path) -> None:
    done = run(*command, GEMELLO_URL=f"http://127.0.0.1:{free_port()}")
    assert "No Gemello answers at" in refusal(done)


@pytest.mark.parametrize(
    "command",
    [
        ("gallery", "list"),
        ("gallery", "show"),
        ("gallery", "set"),
        ("gallery", "image"),
        ("gallery", "stats"),
        ("gallery", "delete"),
        ("gallery", "export"),
        ("gallery", "import"),
        ("duplicates",),
        ("jobs", "list"),
        ("jobs", "show"),
        ("jobs", "wait"),
        ("jobs", "cancel"),
        ("models", "activate"),
        ("search",),
    ],
)
def test_help_has_an_example(command: tuple[str, ...]) -> None:
    done = run(*command, "--help")
    assert done.returncode == 0
    assert f"gemello {' '.join(command)}" in done.stdout.partition("Example")[2]


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version").stdout == f"{__version__}\n"
    assert version("gemello") == __version__


def test_a_process_of_its_own_does_the_same(photos: Path) -> None:
    done = run_process("search", photos / "top.png", "--url", f"http://127.0.0.1:{free_port()}")
    assert "No Gemello answers at" in refusal(done)
    assert run_process("--help").stdout == run("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "path"),
    [
        ("", "gemello"),
        ("models show mine/1", "gemello models show"),
        ("train photos --name mine", "gemello train"),
        ("--version", "gemello"),
        ("nonsense serve", "gemello"),
    ],
)
def test_the_command_that_was_meant(arguments: str, path: str) -> None:
    assert command_path(arguments.split()) == path
