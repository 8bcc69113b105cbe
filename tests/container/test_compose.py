"""`docker compose up` for real: healthy, searchable, hardened, and nothing lost by a restart."""

import json
import shutil
from collections.abc import Iterator

import pytest

from tests.support.compose import Compose, docker
from tests.support.images import picture
from tests.support.paths import ROOT


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    assert shutil.which("docker"), "these tests need Docker"
    stack = Compose()
    try:
        stack("up", "--build", "--detach")
        stack.wait_healthy()
        yield stack
    finally:
        stack.close()


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
