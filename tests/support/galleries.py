"""A gallery without a server: real files, a real database, the fake encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.bundle.encoder import Encoder
from app.gallery.gallery import Gallery
from app.gallery.search import Options, Query, Searcher, SearchPage
from app.images.limits import DEFAULT_LIMITS
from app.index.flat import FlatIndex
from app.inference.batcher import Batcher
from app.inference.decode_pool import DecodePool
from app.inference.served_model import Active, Live
from app.storage.local.blobs import BlobStore
from app.storage.local.catalog import Catalog
from app.storage.local.database import Database
from app.storage.local.indexed_files import Sources
from app.telemetry.metrics import Metrics
from app.testing import FakeEncoder, described


@dataclass(frozen=True)
class Parts:
    """A gallery and what it is made of."""

    gallery: Gallery
    searcher: Searcher
    catalog: Catalog
    sources: Sources
    blobs: BlobStore
    index: FlatIndex
    embedded_again: int

    def search(self, data: bytes, top_k: int = 10, offset: int = 0) -> SearchPage:
        """The gallery in order of distance from an image."""
        return self.searcher.search(Query([data]), Options(top_k, offset))


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
    database, files = Database(root / "gallery.sqlite3"), blobs(root / "blobs")
    records = catalog(database)
    index, decoder = FlatIndex(encoder.dimension), DecodePool(DEFAULT_LIMITS)
    active = Active(Live(described(encoder), Batcher(encoder), index))
    parts = (records, files, active, decoder, Metrics())
    gallery = Gallery(*parts)
    try:
        yield Parts(
            gallery, Searcher(*parts), records, Sources(database), files, index, gallery.load()
        )
    finally:
        decoder.close()
        active.close()
        database.close()


def stored_files(root: Path) -> list[str]:
    """The name of every file below the gallery's folder of images, temporary ones included."""
    return sorted(path.name for path in (root / "blobs").rglob("*") if path.is_file())
