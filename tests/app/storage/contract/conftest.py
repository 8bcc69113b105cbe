from collections.abc import Iterator
from pathlib import Path

import pytest

from app.storage.blob_store import BlobStore
from app.storage.gallery_store import GalleryStore
from app.storage.stores import Stores
from app.storage.thumbnail_store import ThumbnailStore
from tests.support.stores import STORES


@pytest.fixture(params=STORES)
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Stores]:
    with STORES[request.param](tmp_path) as opened:
        yield opened


@pytest.fixture
def store(stores: Stores) -> GalleryStore:
    return stores.gallery


@pytest.fixture
def blobs(stores: Stores) -> BlobStore:
    return stores.blobs


@pytest.fixture
def thumbnails(stores: Stores) -> ThumbnailStore:
    return stores.thumbnails
