"""Room that is kept on the disk for deleting: even that has to write first."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# The database's log of a few hundred removals.
_BYTES = 2 << 20


class Reserve:
    """A file of a fixed size. It is given up while something must be written on a full disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._whole = False
        self.fill()

    def fill(self) -> None:
        """Take the room again, if it was given up and there is any."""
        if self._whole:
            return
        try:
            with self._path.open("ab") as stream:
                os.posix_fallocate(stream.fileno(), 0, _BYTES)
            self._whole = True
        except OSError:
            # What was got of it would be in the way.
            with suppress(OSError):
                self._path.unlink(missing_ok=True)

    @contextmanager
    def given_up(self) -> Iterator[None]:
        """Let the block have the room."""
        self._whole = False
        with suppress(OSError):
            self._path.unlink(missing_ok=True)
        try:
            yield
        finally:
            self.fill()
