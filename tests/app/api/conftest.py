"""Servers for the tests of the API."""

from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr

from app.config import Settings
from app.storage.blob_store import BlobStore
from app.storage.local.blob_store import LocalBlobStore
from tests.support.serving import in_thread
from tests.support.stores import memory_stores


@pytest.fixture
def server(emptied_server: httpx.Client) -> httpx.Client:
    return emptied_server


@pytest.fixture(scope="session")
def guarded(
    tmp_path_factory: pytest.TempPathFactory, shared_settings: Settings
) -> Iterator[httpx.Client]:
    """A server with the keys ``read-key`` and ``write-key``."""
    changes = {
        "data_dir": tmp_path_factory.mktemp("guarded"),
        "read_key": SecretStr("read-key"),
        "write_key": SecretStr("write-key"),
    }
    with in_thread(shared_settings.model_copy(update=changes)) as client:
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
