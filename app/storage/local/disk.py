"""What a disk refuses, in our own terms; and how files are written so that they last."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.storage.failures import storage_error


@contextmanager
def translated() -> Iterator[None]:
    """Raise ``StorageFull`` or ``StorageUnavailable`` for an ``OSError``."""
    try:
        yield
    except OSError as exc:
        raise storage_error(exc) from exc


def write_synced(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file, and flush it to the disk. Raises ``OSError``."""
    with path.open("wb") as stream:
        stream.writelines(parts)
        stream.flush()
        os.fsync(stream.fileno())
