"""The Compose stack of this repository, under a name and a port of its own."""

import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import httpx

from tests.support.paths import ROOT
from tests.support.serving import free_port

BUILD_S, HEALTHY_S = 900, 120


class Compose:
    """``compose("up", "--detach")``, with whichever Compose is there; ``files`` go over the repository's own."""

    def __init__(self, project: str = "gemello-test", files: Sequence[Path] = ()) -> None:
        version2 = subprocess.run(
            ["docker", "compose", "version"], check=False, capture_output=True
        )
        tool = ["docker", "compose"] if version2.returncode == 0 else ["docker-compose"]
        named = [part for file in (ROOT / "docker-compose.yml", *files) for part in ("-f", file)]
        self._command = [*tool, "--project-name", project, *named]
        self._port = free_port()
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self._port}", timeout=30)

    def __call__(self, *arguments: str) -> str:
        return subprocess.run(
            [*self._command, *arguments],
            cwd=ROOT,
            env={**os.environ, "GEMELLO_PUBLISH_PORT": str(self._port)},
            check=True,
            timeout=BUILD_S,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def container(self) -> str:
        return self("ps", "-q", "gemello").strip()

    def wait_healthy(self) -> None:
        deadline = time.monotonic() + HEALTHY_S
        while time.monotonic() < deadline:
            if docker("inspect", "-f", "{{.State.Health.Status}}", self.container()) == "healthy":
                return
            time.sleep(0.5)
        raise TimeoutError(self("logs", "gemello"))

    def search(self, data: bytes) -> dict:
        answer = self.client.post("/search", files={"image": data})
        assert answer.status_code == 200
        return answer.json()

    def close(self) -> None:
        self.client.close()
        self("down", "--volumes", "--remove-orphans")


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()
