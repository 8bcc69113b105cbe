"""Servers for the tests of the API: one that they share, and what the others begin with."""

from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from app.storage.blob_store import BlobStore
from app.storage.local.blob_store import LocalBlobStore
from tests.support.serving import in_thread
from tests.support.stores import memory_stores


@pytest.fixture(scope="session")
def make_settings(
    tmp_path_factory: pytest.TempPathFactory, tiny_store: Path
) -> Callable[[], Settings]:
    """Make settings with a data folder of their own and the tiny model."""

    def make() -> Settings:
        return Settings(
            data_dir=tmp_path_factory.mktemp("served") / "data",
            model_store=tiny_store,
            model="tiny",
            sample_gallery=False,
            log_level="error",
        )

    return make


@pytest.fixture(scope="session")
def shared_settings(make_settings: Callable[[], Settings]) -> Settings:
    return make_settings()


@pytest.fixture(scope="session")
def shared_server(shared_settings: Settings) -> Iterator[httpx.Client]:
    """One server for all these tests; ``server`` empties it."""
    with in_thread(shared_settings) as client:
        yield client


@pytest.fixture
def server(shared_server: httpx.Client) -> httpx.Client:
    """A server with an empty gallery."""
    answer = shared_server.delete("/gallery", params={"filter": "{}"})
    assert answer.status_code == httpx.codes.OK
    return shared_server


@pytest.fixture(scope="session")
def guarded(make_settings: Callable[[], Settings]) -> Iterator[httpx.Client]:
    """A server with the keys ``read-key`` and ``write-key``."""
    keys = {"read_key": SecretStr("read-key"), "write_key": SecretStr("write-key")}
    with in_thread(make_settings().model_copy(update=keys)) as client:
        yield client


@pytest.fixture
def blobs(shared_settings: Settings, request: pytest.FixtureRequest) -> BlobStore:
    """Where ``server`` stores the bytes of images."""
    if request.config.getoption("--store") == "memory":
        return memory_stores(shared_settings.data_dir).blobs
    return LocalBlobStore(shared_settings.data_dir / "blobs")


@pytest.fixture
def fresh_server(settings: Settings) -> Iterator[httpx.Client]:
    """A server that nobody has asked anything: for what it counts."""
    with in_thread(settings) as client:
        yield client
