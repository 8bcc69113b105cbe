"""A gallery without a server: real files, a real database, the fake encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.batching import Batcher
from app.blobs import BlobStore
from app.catalog import Catalog
from app.decoding import DecodePool
from app.encoder import Encoder
from app.gallery import Gallery
from app.images import DEFAULT_LIMITS
from app.index import FlatIndex
from app.metrics import Metrics
from app.testing import FakeEncoder


@dataclass(frozen=True)
class Parts:
    """A gallery and what it is made of."""

    gallery: Gallery
    catalog: Catalog
    blobs: BlobStore
    index: FlatIndex
    embedded_again: int


@contextmanager
def opened(
    root: Path,
    *,
    encoder: Encoder | None = None,
    catalog: type[Catalog] = Catalog,
    blobs: type[BlobStore] = BlobStore,
) -> Iterator[Parts]:
    """Open the gallery in ``root`` and load it, as a start of the service does."""
    encoder = encoder or FakeEncoder()
    root.mkdir(exist_ok=True)
    database, files = catalog(root / "gallery.sqlite3"), blobs(root / "blobs")
    batcher, decoder = Batcher(encoder), DecodePool(DEFAULT_LIMITS)
    index = FlatIndex(encoder.dimension)
    gallery = Gallery(database, files, index, batcher, decoder, Metrics())
    try:
        yield Parts(gallery, database, files, index, gallery.load())
    finally:
        decoder.close()
        batcher.close()
        database.close()


def stored_files(root: Path) -> list[str]:
    """The name of every file below the gallery's folder of images, temporary ones included."""
    return sorted(path.name for path in (root / "blobs").rglob("*") if path.is_file())
