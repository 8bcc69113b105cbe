"""Image bytes on disk, addressed by their SHA-256: ``<root>/ab/abcdef…``."""

from collections.abc import Iterator
from hashlib import file_digest
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

from app.bundle.model_store import sync
from app.errors import ImageDamaged
from app.storage.blob_store import Quarantined, digest_of
from app.storage.local.disk import translated, write_synced
from app.storage.local.quarantine import Quarantine


class LocalBlobStore:
    """A folder of immutable files. What is written survives a power cut once ``put`` returns.

    The quarantine is a folder beside it.
    """

    def __init__(self, root: Path) -> None:
        """Open the folder, and remove what an interrupted write left in it."""
        self._root = root
        self._temporary = root / ".tmp"
        self._quarantine = Quarantine(root.with_name("quarantine"))
        with translated():
            self._temporary.mkdir(parents=True, exist_ok=True)
            for path in self._temporary.iterdir():
                path.unlink()

    def put(self, digest: str, data: bytes) -> None:
        target = self._path(digest)
        with translated():
            if holds(target, digest):
                return
            temporary = self._temporary / uuid4().hex
            try:
                write_synced(temporary, [data])
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
        path = self._path(digest)
        with translated():
            if not path.exists() and not self._bring_back(digest):
                raise ImageDamaged(digest, "is missing")
            data = path.read_bytes()
        if digest_of(data) != digest:
            raise ImageDamaged(digest, "has been altered")
        return data

    def open(self, digest: str) -> BinaryIO:
        path = self._path(digest)
        with translated():
            if not path.exists() and not self._bring_back(digest):
                raise ImageDamaged(digest, "is missing")
            stream = path.open("rb")
            try:
                intact = file_digest(stream, "sha256").hexdigest() == digest
                stream.seek(0)
            except BaseException:
                stream.close()
                raise
        if not intact:
            stream.close()
            raise ImageDamaged(digest, "has been altered")
        return stream

    def delete(self, digest: str) -> None:
        with translated():
            self._path(digest).unlink(missing_ok=True)
            for item in self._quarantine.copies(digest):
                self._quarantine.remove(item)

    def digests(self) -> Iterator[str]:
        with translated():
            for folder in self._root.iterdir():
                if folder.is_dir() and folder != self._temporary:
                    for path in folder.iterdir():
                        yield path.name

    def quarantine(self, digest: str) -> None:
        with translated():
            # What lies there already and is intact is worth more than what is set aside now.
            if not self._bring_back(digest):
                self._quarantine.take(self._path(digest))

    def quarantined(self) -> list[Quarantined]:
        with translated():
            return self._quarantine.files()

    def discard(self, item: Quarantined) -> None:
        with translated():
            self._quarantine.remove(item)

    def _bring_back(self, digest: str) -> bool:
        """Return whether intact bytes were found in the quarantine, and are in their place again."""
        for item in self._quarantine.copies(digest):
            if holds(self._quarantine.path(item), digest):
                self._path(digest).parent.mkdir(exist_ok=True)
                self._quarantine.path(item).replace(self._path(digest))
                self._quarantine.remove(item)
                return True
        return False

    def _path(self, digest: str) -> Path:
        return blob_path(self._root, digest)


def blob_path(root: Path, digest: str) -> Path:
    """Return where a store below ``root`` keeps the bytes."""
    return root / digest[:2] / digest


def holds(path: Path, digest: str) -> bool:
    """Return whether a file can be read, and has the SHA-256 ``digest``."""
    try:
        return digest_of(path.read_bytes()) == digest
    except OSError:
        return False
