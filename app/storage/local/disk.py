"""What a disk refuses, in our own terms; and how files are written so that they last."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from app.storage.failures import storage_error

_LITTLE = 64 << 10


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


def is_full(folder: Path) -> bool:
    """Return whether the disk that a folder lies on has no room for even a little."""
    return shutil.disk_usage(folder).free < _LITTLE
