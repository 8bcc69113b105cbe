"""Log lines for people and for collectors; a traceback shows no variables."""

import json
import subprocess
import sys

import pytest

PROGRAM = """
import logging, structlog
from app.telemetry.logs import configure_logs
configure_logs({style!r}, {level!r})
log = structlog.get_logger()
log.debug("quiet")
log.info("hello", images=3)
logging.getLogger("uvicorn.error").warning("Invalid HTTP request received.")
logging.getLogger("uvicorn.error").error("the server failed")
logging.getLogger("httpcore").warning("from a library")
def fail():
    secret = "hunter" + "2"
    raise RuntimeError("broken")
try:
    fail()
except RuntimeError as exc:
    log.error("unhandled", exc_info=exc)
"""

HOSTILE = r"""
import structlog
from app.telemetry.logs import configure_logs
configure_logs("console", "info")
log = structlog.get_logger()
log.info("request", path="/a\x1b]0;owned\x07\u009b2J\u202e", line="1\n2026 [info] faked")
try:
    raise ValueError("\x1b[2J")
except ValueError as exc:
    log.error("unhandled", exc_info=exc)
"""


def run(style: str, level: str = "info") -> str:
    program = PROGRAM.format(style=style, level=level)
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_every_line_for_a_collector_is_json() -> None:
    lines = [json.loads(line) for line in run("json").splitlines()]
    assert [line["event"] for line in lines] == [
        "hello",
        "the server failed",
        "from a library",
        "unhandled",
    ]
    assert (lines[0]["images"], lines[0]["level"]) == (3, "info")
    assert "RuntimeError: broken" in lines[3]["exception"]
    assert all(line["timestamp"].endswith("Z") for line in lines)


@pytest.mark.parametrize("style", ["console", "json"])
def test_a_traceback_tells_where_and_shows_no_variable(style: str) -> None:
    text = run(style)
    assert "RuntimeError: broken" in text
    assert "in fail" in text
    assert "hunter2" not in text


def test_the_level_is_the_least_serious_that_is_logged() -> None:
    assert "quiet" in run("console", "debug")
    assert "hello" not in run("console", "warning")
    assert "unhandled" in run("console", "error")


def test_no_caller_moves_the_cursor_of_a_console_or_fakes_a_line() -> None:
    done = subprocess.run(
        [sys.executable, "-c", HOSTILE], capture_output=True, text=True, check=True
    )
    assert all(line.isprintable() for line in done.stderr.splitlines())
    assert "/a\\x1b]0;owned\\x07\\x9b2J\\u202e" in done.stderr
    assert "[info] faked" in done.stderr.splitlines()[0]
    assert "ValueError: \\x1b[2J" in done.stderr
