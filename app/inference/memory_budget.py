"""Memory that decoding may take at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class MemoryBudget:
    """A number of bytes, taken before work and given back after it. Who waits is not overtaken."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._free = total
        self._changed = threading.Condition()
        self._turn = threading.Lock()

    @contextmanager
    def take(self, amount: int) -> Iterator[None]:
        """Hold ``amount`` bytes, at most ``total``, for the block; wait until they are free."""
        if amount > self.total:
            raise ValueError(f"{amount:,} bytes were asked for of {self.total:,}")
        # One waits for memory, the others for their turn: small work would else keep large work waiting.
        with self._turn, self._changed:
            self._changed.wait_for(lambda: self._free >= amount)
            self._free -= amount
        try:
            yield
        finally:
            with self._changed:
                self._free += amount
                self._changed.notify()
