"""`docker compose up` for real: healthy, searchable, hardened, and nothing lost by a restart."""

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.images import picture
from tests.support.serving import free_port

ROOT = Path(__file__).parents[2]
BUILD_S, HEALTHY_S = 900, 120


class Compose:
    """The stack under a project name and a port of its own, with whichever Compose is there."""

    def __init__(self) -> None:
        version2 = subprocess.run(
            ["docker", "compose", "version"], check=False, capture_output=True
        )
        tool = ["docker", "compose"] if version2.returncode == 0 else ["docker-compose"]
        self._command = [*tool, "--project-name", "gemello-test"]
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


def docker(*arguments: str) -> str:
    done = subprocess.run(["docker", *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return done.stdout.strip()


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    assert shutil.which("docker"), "these tests need Docker"
    stack = Compose()
    stack("up", "--build", "--detach")
    try:
        stack.wait_healthy()
        yield stack
    finally:
        stack.client.close()
        stack("down", "--volumes", "--remove-orphans")


def test_it_starts_with_the_sample_gallery_and_finds_its_images(compose: Compose) -> None:
    assert compose.client.get("/health").json()["status"] == "ok"
    sample = next((ROOT / "app" / "sample_gallery").rglob("*.webp"))
    first = compose.search(sample.read_bytes())["results"][0]
    assert first["distance"] < 0.01
    assert first["label"] == sample.parent.name


def test_an_added_image_is_found_and_survives_a_restart_and_a_kill(compose: Compose) -> None:
    added = compose.client.post("/gallery", files={"images": picture(1)}, data={"ids": '["mine"]'})
    assert added.status_code == 201
    for interrupt in (("restart",), ("kill",)):
        compose(*interrupt)
        if interrupt == ("kill",):
            compose("up", "--detach")
        compose.wait_healthy()
        first = compose.search(picture(1))["results"][0]
        assert (first["id"], first["distance"] < 0.01) == ("mine", True)


def test_the_container_can_do_little(compose: Compose) -> None:
    name = compose.container()
    facts = json.loads(docker("inspect", name))[0]
    assert facts["HostConfig"]["ReadonlyRootfs"] is True
    assert facts["HostConfig"]["CapDrop"] == ["ALL"]
    bindings = facts["HostConfig"]["PortBindings"]["8000/tcp"]
    assert [binding["HostIp"] for binding in bindings] == ["127.0.0.1"]
    assert docker("exec", name, "id", "-u") != "0"
    probe = "import importlib.util as u; print(u.find_spec('tensorflow'))"
    assert docker("exec", name, "python3", "-c", probe) == "None"
