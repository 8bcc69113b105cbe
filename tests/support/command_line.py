"""``gemello …`` as a user runs it, in this process or in one of its own."""

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from structlog.testing import capture_logs

from gemello.cli import main
from tests.support.paths import ROOT
from tests.support.serving import clean_environment

Done = subprocess.CompletedProcess[str]


def run(*arguments: object, **environment: str) -> Done:
    """Run a command in this process, which is faster; nobody answers its questions."""
    words = [str(argument) for argument in arguments]
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    code: object = 1
    mask = os.umask(0o022)
    with (
        patch.dict(os.environ, _environment(environment), clear=True),
        patch.object(sys, "stdin", io.StringIO()),
        redirect_stdout(out),
        redirect_stderr(err),
        # A server in a thread of this process would log to the same standard output.
        capture_logs(),
    ):
        try:
            main(words)
        except SystemExit as exit_:
            code = exit_.code or 0
        finally:
            os.umask(mask)
    assert isinstance(code, int)
    return subprocess.CompletedProcess(words, code, _text(out), _text(err))


def run_process(*arguments: object, **environment: str) -> Done:
    """Run a command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "gemello", *map(str, arguments)],
        cwd=ROOT,
        env=_environment(environment),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    return done


def refusal(done: Done) -> str:
    """The one sentence of a command that was refused."""
    assert done.returncode == 1
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("gemello: ")
    return lines[0]


def _environment(changes: dict[str, str]) -> dict[str, str]:
    return {**clean_environment(), "COLUMNS": "200", **changes}


def _text(stream: io.TextIOWrapper) -> str:
    stream.flush()
    stream.seek(0)
    return stream.read()
