"""Image bytes on disk, addressed by their SHA-256: ``<root>/ab/abcdef…``."""

import errno
import hashlib
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from app.bundle.model_store import sync
from app.errors import StorageFull, StorageUnavailable


class BlobStore:
    """A folder of immutable files. What is written survives a power cut once ``put`` returns."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._temporary = root / ".tmp"
        with _translated():
            self._temporary.mkdir(parents=True, exist_ok=True)

    def put(self, data: bytes) -> str:
        """Store ``data`` and return its SHA-256; storing it again changes nothing.

        Raises ``StorageFull`` or ``StorageUnavailable``.
        """
        digest = sha256(data)
        target = self._path(digest)
        with _translated():
            if target.exists() and target.stat().st_size == len(data):
                return digest
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
        return digest

    def get(self, digest: str) -> bytes:
        """Raises ``StorageUnavailable`` when the file is missing, unreadable or altered."""
        with _translated():
            data = self._path(digest).read_bytes()
        if sha256(data) != digest:
            raise StorageUnavailable(f"the stored image {digest[:12]}… has been altered")
        return data

    def delete(self, digest: str) -> None:
        """Remove a file; a missing one is fine. Raises ``StorageUnavailable``."""
        with _translated():
            self._path(digest).unlink(missing_ok=True)

    def holds_images(self) -> bool:
        """Whether any image is stored."""
        with _translated():
            return any(path.parent != self._temporary for path in self._files())

    def collect(self, known: Collection[str]) -> int:
        """Remove temporary files and those not in ``known``; return how many went."""
        removed = 0
        with _translated():
            for path in self._files():
                if path.parent == self._temporary or path.name not in known:
                    path.unlink()
                    removed += 1
        return removed

    def _files(self) -> Iterator[Path]:
        for folder in self._root.iterdir():
            if folder.is_dir():
                yield from folder.iterdir()

    def _path(self, digest: str) -> Path:
        return self._root / digest[:2] / digest


def sha256(data: bytes) -> str:
    """The address of ``data``: 64 hex digits."""
    return hashlib.sha256(data).hexdigest()


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        if exc.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageFull() from exc
        raise StorageUnavailable(exc.strerror or "the disk failed") from exc
