"""The model at work, and how another takes its place while searches go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.bundle.encoder import Encoder
from app.bundle.manifest import Manifest
from app.index.vector_index import VectorIndex
from app.inference.batcher import Batcher


@dataclass(eq=False, slots=True)
class Live:
    """What belongs to one model: what it says of itself, its inference, the index of its vectors."""

    manifest: Manifest
    batcher: Batcher
    index: VectorIndex
    users: int = 0

    @property
    def encoder(self) -> Encoder:
        return self.batcher.encoder


class Active:
    """The model that answers. A search keeps the one it began with to its end, so that vectors of
    two models never meet; a model that was replaced ends with its last search."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._lock = threading.Lock()

    @property
    def live(self) -> Live:
        """For a look; what must not change meanwhile is done inside ``use``."""
        return self._live

    @contextmanager
    def use(self) -> Iterator[Live]:
        """The model that answers now, kept at work until the end of the block."""
        with self._lock:
            live = self._live
            live.users += 1
        try:
            yield live
        finally:
            with self._lock:
                live.users -= 1
                ended = live.users == 0 and live is not self._live
            if ended:
                live.batcher.close()

    def swap(self, new: Live) -> None:
        """Let ``new`` answer from now on."""
        with self._lock:
            old, self._live = self._live, new
            ended = old.users == 0 and old is not new
        if ended:
            old.batcher.close()

    def close(self) -> None:
        """Finish what was accepted, then stop."""
        self._live.batcher.close()
