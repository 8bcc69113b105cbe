"""Features of images on disk, found again by the bytes of the files: a later run embeds only what is new."""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.images.prepare import Pixels
from gemello.progress import say
from trainer.data.cache import ImageCache
from trainer.data.rows import RowFile
from trainer.errors import DataError

Floats = npt.NDArray[np.float32]
_CHUNK = 64
# Of a SHA-256.
_KEY = 32


class FeatureStore:
    """The vectors float32 [·, ``dimension``] that one encoder made of images, in ``folder``.

    ``vectors.bin`` has them in the order in which they were made, ``keys.bin`` the SHA-256 of each
    image's file. Other splits, more images or another configuration find them again.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder, self._dimension = folder, dimension
        self._vectors, self._keys = folder / "vectors.bin", folder / "keys.bin"

    def rows(
        self,
        images: ImageCache,
        embed: Callable[[Pixels], Floats],
        advance: Callable[[int], None],
    ) -> RowFile:
        """Return the vectors of ``images`` [N], float32 [N, D]; ``embed`` makes those that are missing.

        What it has made stays, however the run ends. Raises ``DataError`` when ``folder`` cannot be
        written to.
        """
        wanted = [key.tobytes() for key in images.metadata[:]["sha256"]]
        try:
            with self._locked():
                known = self._read()
                missing = [i for i, key in enumerate(wanted) if key not in known]
                advance(len(wanted) - len(missing))
                self._add(images, missing, known, embed, advance)
        except OSError as exc:
            raise DataError(
                f"Features cannot be written to {self._folder} ({exc.strerror}); "
                "name another folder with --cache."
            ) from exc
        count = max(known.values(), default=-1) + 1
        stored = RowFile(self._vectors, count, (self._dimension,), np.float32)
        return stored.subset(np.array([known[key] for key in wanted], np.int64))

    def _read(self) -> dict[bytes, int]:
        """The row of each key. What a killed run left half written is cut off."""
        width = self._dimension * np.dtype(np.float32).itemsize
        for path in (self._vectors, self._keys):
            path.touch()
        count = min(
            self._vectors.stat().st_size // width,
            self._keys.stat().st_size // _KEY,
        )
        os.truncate(self._vectors, count * width)
        os.truncate(self._keys, count * _KEY)
        keys = self._keys.read_bytes()
        return {keys[row * _KEY : (row + 1) * _KEY]: row for row in range(count)}

    def _add(
        self,
        images: ImageCache,
        missing: list[int],
        known: dict[bytes, int],
        embed: Callable[[Pixels], Floats],
        advance: Callable[[int], None],
    ) -> None:
        count = max(known.values(), default=-1) + 1
        with self._vectors.open("ab") as vectors, self._keys.open("ab") as keys:
            for start in range(0, len(missing), _CHUNK):
                chunk = np.array(missing[start : start + _CHUNK])
                made = np.ascontiguousarray(embed(images.images[chunk]), np.float32)
                sha256 = images.metadata[chunk]["sha256"]
                # First the vectors, then the word that they are there: a cut of power leaves no lie.
                for stream, rows in ((vectors, made), (keys, np.ascontiguousarray(sha256))):
                    stream.write(rows.data)
                    stream.flush()
                    os.fsync(stream.fileno())
                for key in sha256:
                    known[key.tobytes()] = count
                    count += 1
                advance(len(chunk))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One run embeds at a time; the next one finds what it made. The lock goes with the process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                say("Another run is embedding images with this model; waiting for it.")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)
