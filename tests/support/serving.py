"""A real server on a real port, in a thread of its own or in a process of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import IO

import httpx

from app.api.connections.server import Server, ServerConfig
from app.config import Settings
from app.main import create_app
from app.service import OpenStores
from app.storage.local.stores import open_stores
from tests.support.paths import ROOT

READY_S = 60
stores: OpenStores = open_stores
"""What servers in a thread keep their galleries in; the option ``--store`` of pytest sets it."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def in_thread(settings: Settings) -> Iterator[httpx.Client]:
    """Serve ``settings`` in a thread; yields an HTTP client once ready."""
    server = Server(ServerConfig(create_app(settings, stores)))
    with socket.socket() as listener:
        # As the command does it: without it every kept-alive request waits 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            with httpx.Client(base_url=url, timeout=30) as client:
                wait_ready(client)
                yield client
        finally:
            server.should_exit = True
            thread.join()


@contextmanager
def in_process(
    environment: dict[str, str],
    log: int | IO[bytes] = subprocess.DEVNULL,
    within: Sequence[str] = (),
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run ``gemello serve`` as a user would; yields the process and its address once ready.

    It is told to end at the end, and has to end by that, not by a crash. ``within`` is a command that
    runs another.
    """
    port = free_port()
    process = subprocess.Popen(
        [*within, sys.executable, "-m", "gemello", "serve"],
        cwd=ROOT,
        env={**clean_environment(), **environment, "GEMELLO_PORT": str(port)},
        stderr=log,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url) as client:
            wait_ready(client, process)
        yield process, url
    finally:
        process.terminate()
        status = process.wait(timeout=30)
    assert status in (0, -signal.SIGTERM, -signal.SIGKILL), f"the server ended with {status}"


def clean_environment() -> dict[str, str]:
    """This environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("GEMELLO_")}


def wait_ready(client: httpx.Client, process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"the server exited with {process.returncode}")
        try:
            if client.get("/health").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.02)
    raise TimeoutError(f"not ready after {READY_S} s")
