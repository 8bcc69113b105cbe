"""Thumbnails on disk: ``<root>/ab/abcdef…-256.webp``. They may be lost, and so are not synced."""

import contextlib
from pathlib import Path
from uuid import uuid4

from app.storage.thumbnail_store import SIDES


class LocalThumbnailStore:
    """A folder of WebP files, each there as a whole or not at all while the machine runs."""

    def __init__(self, root: Path) -> None:
        """Open the folder, and remove what an interrupted write left in it."""
        self._root = root
        self._temporary = root / ".tmp"
        with contextlib.suppress(OSError):
            for path in self._temporary.iterdir():
                path.unlink()

    def put(self, digest: str, side: int, data: bytes) -> None:
        target, temporary = self._path(digest, side), self._temporary / uuid4().hex
        # On a full disk it is made again the next time.
        with contextlib.suppress(OSError):
            try:
                self._temporary.mkdir(parents=True, exist_ok=True)
                target.parent.mkdir(exist_ok=True)
                temporary.write_bytes(data)
                temporary.replace(target)
            except OSError:
                temporary.unlink(missing_ok=True)

    def get(self, digest: str, side: int) -> bytes | None:
        try:
            data = self._path(digest, side).read_bytes()
        except OSError:
            return None
        return data if _is_whole(data) else None

    def delete(self, digest: str) -> None:
        for side in SIDES:
            with contextlib.suppress(OSError):
                self._path(digest, side).unlink()

    def _path(self, digest: str, side: int) -> Path:
        return self._root / digest[:2] / f"{digest}-{side}.webp"


def _is_whole(data: bytes) -> bool:
    """Whether a WebP is as long as it says: a power cut may leave the name without the bytes."""
    return data.startswith(b"RIFF") and int.from_bytes(data[4:8], "little") + 8 == len(data)
