"""Image bytes on disk, addressed by their SHA-256: ``<root>/ab/abcdef…``."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from app.bundle.model_store import sync
from app.errors import StorageFull, StorageUnavailable
from app.storage.blob_store import digest_of


class LocalBlobStore:
    """A folder of immutable files. What is written survives a power cut once ``put`` returns."""

    def __init__(self, root: Path) -> None:
        """Open the folder, and remove what an interrupted write left in it."""
        self._root = root
        self._temporary = root / ".tmp"
        with _translated():
            self._temporary.mkdir(parents=True, exist_ok=True)
            for path in self._temporary.iterdir():
                path.unlink()

    def put(self, digest: str, data: bytes) -> None:
        target = self._path(digest)
        with _translated():
            if target.exists() and target.stat().st_size == len(data):
                return
            temporary = self._temporary / uuid4().hex
            try:
                with temporary.open("wb") as stream:
                    stream.write(data)
                    stream.flush()
                    os.fsync(stream.fileno())
                new_folder = not target.parent.exists()
                target.parent.mkdir(exist_ok=True)
                temporary.replace(target)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
            sync(target.parent)
            if new_folder:
                sync(self._root)

    def get(self, digest: str) -> bytes:
        with _translated():
            data = self._path(digest).read_bytes()
        if digest_of(data) != digest:
            raise StorageUnavailable(f"the stored image {digest[:12]}… has been altered")
        return data

    def open(self, digest: str) -> BinaryIO:
        with _translated():
            stream = self._path(digest).open("rb")
            try:
                intact = file_digest(stream, "sha256").hexdigest() == digest
                stream.seek(0)
            except BaseException:
                stream.close()
                raise
        if not intact:
            stream.close()
            raise StorageUnavailable(f"the stored image {digest[:12]}… has been altered")
        return stream

    def delete(self, digest: str) -> None:
        with _translated():
            self._path(digest).unlink(missing_ok=True)

    def digests(self) -> Iterator[str]:
        with _translated():
            for folder in self._root.iterdir():
                if folder.is_dir() and folder != self._temporary:
                    for path in folder.iterdir():
                        yield path.name

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull() from exc
        raise StorageUnavailable(exc.strerror or "the disk failed") from exc
