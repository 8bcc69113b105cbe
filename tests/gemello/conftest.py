import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from gemello import Client
from tests.support.images import picture


@pytest.fixture
def server(emptied_server: httpx.Client) -> httpx.Client:
    return emptied_server


@pytest.fixture
def url(server: httpx.Client) -> str:
    return str(server.base_url)


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url) as client:
        yield client


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with four images: one at the top, two cats, one dog."""
    root = tmp_path / "photos"
    for name, seed in {"top.png": 0, "cats/a.png": 1, "cats/old/b.png": 2, "dogs/c.png": 3}.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(seed))
    return root


@pytest.fixture
def stored(server: httpx.Client) -> str:
    """The address of a server with six images, of which ``f`` is nearly ``c``."""
    files = [("images", (f"{i}.png", picture(i))) for i in range(5)]
    files.append(("images", ("copy.jpg", picture(2, "JPEG", quality=80))))
    data = {
        "ids": json.dumps(["a", "b", "c", "d", "e", "f"]),
        "labels": json.dumps(["shoe", "shoe", "hat", None, None, "hat"]),
        "metadata": json.dumps([{"price": i, "größe": "groß"} for i in range(6)]),
    }
    assert server.post("/gallery", files=files, data=data).status_code == 201
    return str(server.base_url)
