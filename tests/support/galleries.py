"""A gallery without a server: real files, a real database, the fake encoder."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bundle.encoder import Encoder
from app.gallery.calibration import Calibrator
from app.gallery.gallery import Gallery
from app.gallery.new_image import NewImage
from app.gallery.query import Options, Query, SearchPage
from app.gallery.search import Searcher
from app.images.limits import DEFAULT_LIMITS
from app.inference.batcher import Batcher
from app.inference.decode_pool import DecodePool
from app.inference.embedder import Embedder
from app.inference.reembedding import Reembedder
from app.inference.served_model import ActiveModel, ServedModel
from app.storage.local.blob_store import LocalBlobStore
from app.storage.local.database import Database
from app.storage.local.gallery_store import LocalGalleryStore
from app.storage.local.indexed_files import IndexedFiles
from app.storage.local.thumbnail_store import LocalThumbnailStore
from app.storage.stores import Stores
from app.telemetry.metrics import Metrics
from app.testing import FakeEncoder, described
from tests.support.images import picture


@dataclass(frozen=True)
class Parts:
    """A gallery and what it is made of."""

    gallery: Gallery
    searcher: Searcher
    stores: Stores
    indexed_files: IndexedFiles
    model_id: str
    embedded_again: int
    active: ActiveModel
    reembedder: Reembedder

    def search(self, data: bytes, top_k: int = 10, offset: int = 0) -> SearchPage:
        """The gallery in order of distance from an image."""
        return self.searcher.search(Query([data]), Options(top_k, offset))


@contextmanager
def opened(
    root: Path,
    *,
    encoder: Encoder | None = None,
    store: type[LocalGalleryStore] = LocalGalleryStore,
    blobs: type[LocalBlobStore] = LocalBlobStore,
) -> Iterator[Parts]:
    """Open the gallery in ``root`` and load it, as a start of the service does."""
    encoder = encoder or FakeEncoder()
    root.mkdir(exist_ok=True)
    database = Database(root / "gallery.sqlite3")
    stores = Stores(
        store(database), blobs(root / "blobs"), LocalThumbnailStore(root / "thumbnails")
    )
    decoder, metrics = DecodePool(DEFAULT_LIMITS), Metrics()
    active = ActiveModel(
        ServedModel(described(encoder), Batcher(encoder)),
        ended=lambda model: stores.gallery.unload(model.id),
    )
    embedder = Embedder(stores, decoder, metrics)
    reembedder = Reembedder(stores.gallery, embedder)
    gallery = Gallery(
        stores=stores,
        active=active,
        embedder=embedder,
        reembedder=reembedder,
        decoder=decoder,
        metrics=metrics,
    )
    searcher = Searcher(
        store=stores.gallery,
        active=active,
        embedder=embedder,
        calibrator=Calibrator(stores.gallery),
        metrics=metrics,
    )
    try:
        yield Parts(
            gallery=gallery,
            searcher=searcher,
            stores=stores,
            indexed_files=IndexedFiles(database),
            model_id=encoder.model_id,
            embedded_again=gallery.load(),
            active=active,
            reembedder=reembedder,
        )
    finally:
        decoder.close()
        active.close()
        database.close()


def stored_files(root: Path) -> list[str]:
    """The name of every file below the gallery's folder of images, temporary ones included."""
    return sorted(path.name for path in (root / "blobs").rglob("*") if path.is_file())


def new(seed: int, image_id: str | None = None, **options: Any) -> NewImage:
    return NewImage(picture(seed), image_id, **options)


def statuses(results: list) -> list[str]:
    return [result.status for result in results]


def answers(parts: Parts, seed: int, top_k: int = 1000) -> list[tuple[str, float]]:
    page = parts.search(picture(seed), top_k)
    return [(match.image.id, match.distance) for match in page.matches]


def visible(parts: Parts) -> tuple:
    """What callers see of a gallery: its records and its answers."""
    return parts.gallery.list_images(0, 1000), answers(parts, 100), len(parts.gallery)


def state(parts: Parts, root: Path) -> tuple:
    """What callers see, and the stored files."""
    return visible(parts), stored_files(root)
