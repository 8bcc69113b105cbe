from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from app.config import Settings
from tests.support import serving
from tests.support.serving import in_thread
from tests.support.stores import memory_stores
from tests.support.tiny_model import publish_tiny


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--store",
        choices=["local", "memory"],
        default="local",
        help="what servers that run in a thread keep their galleries in",
    )
    parser.addoption(
        "--times", type=int, default=1, help="how many times as long tests/faults try each fault"
    )


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--store") == "memory":
        serving.stores = memory_stores


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("GEMELLO_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def times(request: pytest.FixtureRequest) -> int:
    """How many times as long a fault is tried as it takes to see that the test works (``--times``)."""
    return int(request.config.getoption("--times"))


@pytest.fixture(scope="session")
def tiny_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model store with one tiny model, ``tiny/1``."""
    store = tmp_path_factory.mktemp("store")
    publish_tiny(store)
    return store


@pytest.fixture
def settings(tmp_path: Path, tiny_store: Path) -> Settings:
    """An empty gallery and the tiny model."""
    return Settings(
        data_dir=tmp_path / "data", model_store=tiny_store, model="tiny", sample_gallery=False
    )


@pytest.fixture
def server(settings: Settings) -> Iterator[httpx.Client]:
    with in_thread(settings) as client:
        yield client


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
    """What ``shared_server`` runs with."""
    return make_settings()


@pytest.fixture(scope="session")
def shared_server(shared_settings: Settings) -> Iterator[httpx.Client]:
    """One server for all tests of a process that need no other; ``emptied_server`` empties it."""
    with in_thread(shared_settings) as client:
        yield client


@pytest.fixture
def emptied_server(shared_server: httpx.Client) -> httpx.Client:
    """A server with an empty gallery, but with the jobs and the counts of earlier tests."""
    answer = shared_server.delete("/gallery", params={"filter": "{}"})
    assert answer.status_code == httpx.codes.OK
    return shared_server
