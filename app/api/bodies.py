"""Request bodies in memory and in temporary files: bounded in sum."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from app.errors import Overloaded


@dataclass(eq=False, slots=True)
class Body:
    """A body that is arriving, or has arrived and is still needed."""

    address: str
    received: int = 0
    arriving: bool = True
    gave_way: bool = False
    waits: asyncio.Timeout | None = None
    """What ends the wait for its next part."""


class Bodies:
    """All bodies, which together may hold so many bytes.

    When they hold more, the largest gives way that is still arriving, of the address that holds the
    most: it is the caller's to hurry, and a large body that stands still must not keep small ones
    out.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bodies: set[Body] = set()
        self._sum = 0

    @contextmanager
    def open(self, address: str) -> Iterator[Body]:
        """Count a body as long as it is needed."""
        body = Body(address)
        self._bodies.add(body)
        try:
            yield body
        finally:
            self._forget(body)

    def grow(self, body: Body, length: int) -> None:
        """Count what has arrived of ``body``. Raises ``Overloaded`` if it is the one to give way."""
        if not body.gave_way:
            body.received += length
            self._sum += length
        while self._sum > self._most:
            self._give_way(self._largest())
        if body.gave_way:
            raise Overloaded()

    def _largest(self) -> Body:
        held: Counter[str] = Counter()
        for body in self._bodies:
            held[body.address] += body.received
        arriving = (body for body in self._bodies if body.arriving)
        return max(arriving, key=lambda body: (held[body.address], body.received))

    def _give_way(self, body: Body) -> None:
        self._forget(body)
        body.gave_way = True
        if body.waits is not None:
            body.waits.reschedule(asyncio.get_running_loop().time())

    def _forget(self, body: Body) -> None:
        if body in self._bodies:
            self._bodies.remove(body)
            self._sum -= body.received
