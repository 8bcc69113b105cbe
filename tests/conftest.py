from collections.abc import Iterator
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


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--store") == "memory":
        serving.stores = memory_stores


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    import os

    for name in [name for name in os.environ if name.startswith("GEMELLO_")]:
        monkeypatch.delenv(name)


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
