"""Every implementation of the stores, by name: a new one is added here, and passes the same tests."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from app.storage.local.stores import open_database, open_stores
from app.storage.memory import MemoryBlobStore, MemoryGalleryStore, MemoryThumbnailStore
from app.storage.stores import Stores

OpenStores = Callable[[Path], AbstractContextManager[Stores]]


@contextmanager
def _local(folder: Path) -> Iterator[Stores]:
    folder.mkdir(parents=True, exist_ok=True)
    database = open_database(folder)
    try:
        yield open_stores(folder, database)
    finally:
        database.close()


@contextmanager
def _memory(folder: Path) -> Iterator[Stores]:
    yield memory_stores(folder)


_MEMORY: dict[Path, Stores] = {}


def memory_stores(folder: Path, _: object = None) -> Stores:
    """The stores in memory that stand for a folder: opened again, they hold what they held."""
    return _MEMORY.setdefault(
        folder, Stores(MemoryGalleryStore(), MemoryBlobStore(), MemoryThumbnailStore())
    )


STORES: dict[str, OpenStores] = {"local": _local, "memory": _memory}
