"""Who may hold a connection, when there are more clients than descriptors."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import structlog

log = structlog.get_logger()

# A part of all places that one address may hold, so that others always find one.
_SHARE = 0.75
# Answers that have been given, but not been taken away by their callers.
# Beyond the first, who has read nothing for a while is cut off; beyond the second, who leaves most.
_UNREAD_BYTES, _MOST_UNREAD_BYTES = 128_000_000, 512_000_000
PROGRESS_BYTES = 48 * 1024
"""What asyncio sends between pausing a writer and letting it go on: who takes less reads nothing."""
_STALLED_S = 5.0
_QUIET_S = 10.0


class Held(Protocol):
    """A connection, as far as a place is concerned."""

    address: str

    def unread(self) -> int:
        """Return how many bytes of its answer have not been taken away."""

    def give_way(self) -> None:
        """End: its place is needed."""

    def expire(self) -> None:
        """End: its deadline has passed. Or ``wait`` again, if the client is only slow."""


@dataclass(slots=True)
class _Reader:
    unread: int
    since: float


@dataclass(slots=True)
class _Address:
    held: int = 0
    waiting: dict[Held, float] = field(default_factory=dict)
    """Deadlines of the connections whose client must do something, the longest waiting first."""


class Places:
    """A bounded number of places for connections.

    A connection either waits for its client (to send a request, or to take an answer away) or is
    being worked for. When every place is taken, a newcomer gets that of the connection which has
    waited longest, of the address with the most; one that is being worked for never gives way. So
    clients that keep the service waiting crowd out each other, and nobody else.
    """

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most, self._most_each = most, max(1, int(most * _SHARE))
        self._clock = clock
        self._held = 0
        self._addresses: dict[str, _Address] = {}
        self._readers: dict[Held, _Reader] = {}
        """What each reader had left when it was last seen to read."""
        self._closed = self._refused = 0
        self._last = -math.inf

    def admit(self, connection: Held) -> bool:
        """Give ``connection`` a place; False when all are taken by work."""
        own = self._addresses.get(connection.address)
        if own is not None and own.held >= self._most_each:
            found = self._free(own)
        else:
            found = self._held < self._most or self._free(self._greediest())
        if not found:
            self._turn_away(refused=1)
            return False
        self._held += 1
        self._addresses.setdefault(connection.address, _Address()).held += 1
        return True

    def leave(self, connection: Held) -> None:
        """Give a place back."""
        address = self._addresses[connection.address]
        self.work(connection)
        address.held -= 1
        self._held -= 1
        if not address.held:
            del self._addresses[connection.address]

    def wait(
        self, connection: Held, seconds: float = math.inf, *, for_reader: bool = False
    ) -> None:
        """Its client must do something within ``seconds``: send a request, or read an answer."""
        self.work(connection)
        self._addresses[connection.address].waiting[connection] = self._clock() + seconds
        if for_reader:
            self._readers[connection] = _Reader(connection.unread(), self._clock())

    def work(self, connection: Held) -> None:
        """Its client waits for us."""
        self._addresses[connection.address].waiting.pop(connection, None)
        self._readers.pop(connection, None)

    def sweep(self) -> None:
        """End the connections whose deadlines have passed; called about once a second."""
        now = self._clock()
        late = [
            held
            for address in self._addresses.values()
            for held, deadline in address.waiting.items()
            if deadline <= now
        ]
        for held in late:
            held.expire()
        self._bound_unread(now)
        if (self._closed or self._refused) and now - self._last > _QUIET_S:
            log.info("clients find places again", closed=self._closed, refused=self._refused)
            self._closed = self._refused = 0

    def out_of_descriptors(self) -> None:
        """The system had no descriptor for a newcomer."""
        self._turn_away(refused=1)

    def _bound_unread(self, now: float) -> None:
        """End readers, those who leave most first, until the rest fits into memory."""
        unread = {held: held.unread() for held in self._readers}
        total = sum(unread.values())
        for held in sorted(unread, key=unread.__getitem__, reverse=True):
            reader = self._readers[held]
            if reader.unread - unread[held] >= PROGRESS_BYTES:
                reader.unread, reader.since = unread[held], now
            stalled = now - reader.since >= _STALLED_S
            if total > (_UNREAD_BYTES if stalled else _MOST_UNREAD_BYTES):
                total -= unread[held]
                self._turn_away(closed=1)
                held.give_way()

    def _greediest(self) -> _Address | None:
        able = [address for address in self._addresses.values() if address.waiting]
        return max(able, key=lambda address: address.held, default=None)

    def _free(self, address: _Address | None) -> bool:
        """Free a place of ``address``; False if nobody there keeps us waiting."""
        longest = next(iter(address.waiting), None) if address else None
        if longest is None:
            return False
        self._turn_away(closed=1)
        longest.give_way()
        return True

    def _turn_away(self, *, closed: int = 0, refused: int = 0) -> None:
        """Count, and say so once: a line for each would fill the disk in place of the descriptors."""
        if not self._closed and not self._refused:
            log.warning("every place for clients is taken; who waits longest gives way")
        self._closed += closed
        self._refused += refused
        self._last = self._clock()
