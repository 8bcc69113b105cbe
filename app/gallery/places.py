"""A bounded number of places for what must not be done by many at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import Overloaded


class Places:
    """Whoever finds none free is told to come again: waiting would hold a thread."""

    def __init__(self, count: int) -> None:
        self._free = threading.BoundedSemaphore(count)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold a place. Raises ``Overloaded`` when none is free."""
        if not self._free.acquire(blocking=False):
            raise Overloaded()
        try:
            yield
        finally:
            self._free.release()
