"""``gemello serve``: the port that it takes, and why it may not start."""

import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from gemello.commands.serve import listen
from tests.support.command_line import refusal, run
from tests.support.images import picture
from tests.support.serving import free_port, in_process


@pytest.fixture(autouse=True)
def _logs_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the command from configuring the logs of this process."""
    monkeypatch.setattr("app.telemetry.logs.configure_logs", lambda *_: None)


def test_answers_do_not_wait_for_the_callers_acknowledgement() -> None:
    with (
        listen("127.0.0.1", 0) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"GEMELLO_MODEL": "none"}, "There is no model 'none'"),
        ({"GEMELLO_HOST": "0.0.0.0"}, "GEMELLO_HOST=0.0.0.0 listens beyond this machine"),  # noqa: S104
        ({"GEMELLO_READ_KEY": "r"}, "GEMELLO_READ_KEY is set without GEMELLO_WRITE_KEY"),
        ({"GEMELLO_PROT": "1"}, "GEMELLO_PROT='1' is not a setting"),
        ({"GEMELLO_MAX_BATCH": "lots"}, "GEMELLO_MAX_BATCH='lots'"),
        ({"GEMELLO_GALLERY_DIR": "/missing"}, "GEMELLO_GALLERY_DIR=/missing is not a folder"),
        ({"GEMELLO_DATA_DIR": "/dev/null/x"}, "GEMELLO_DATA_DIR=/dev/null/x cannot be used"),
    ],
)
def test_a_service_that_may_not_start_says_why(
    environment: dict[str, str], sentence: str, tiny_store: Path, tmp_path: Path
) -> None:
    usable = {
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_DATA_DIR": str(tmp_path),
        "GEMELLO_PORT": str(free_port()),
    }
    assert sentence in refusal(run("serve", **{**usable, **environment}))


def test_a_port_that_is_taken_is_said(tiny_store: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = run(
            "serve",
            "--port",
            taken.getsockname()[1],
            GEMELLO_MODEL_STORE=str(tiny_store),
            GEMELLO_MODEL="tiny",
            GEMELLO_DATA_DIR=str(tmp_path),
            GEMELLO_SAMPLE_GALLERY="0",
        )
    assert done.returncode != 0
    assert "Address already in use" in done.stderr


def test_hardening_what_is_stored_is_its_owners_alone(tiny_store: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    environment = {
        "GEMELLO_MODEL_STORE": str(tiny_store),
        "GEMELLO_MODEL": "tiny",
        "GEMELLO_DATA_DIR": str(data),
        "GEMELLO_SAMPLE_GALLERY": "0",
    }
    with in_process(environment) as (_, url):
        answer = httpx.post(f"{url}/gallery", files={"images": ("a.png", picture(1))})
        assert answer.status_code == httpx.codes.CREATED
    backup = tmp_path / "backup"
    assert run("gallery", "backup", backup, GEMELLO_DATA_DIR=str(data)).returncode == 0
    made = [path for folder in (data, backup) for path in (folder, *folder.rglob("*"))]
    assert len(made) > 8
    assert {oct(path.stat().st_mode & 0o077) for path in made} == {"0o0"}


def test_hardening_the_environment_is_hidden_from_other_processes_of_the_user() -> None:
    program = (
        "import ctypes; from gemello.commands.serve import hide_from_own_user; hide_from_own_user(); "
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "0\n"
