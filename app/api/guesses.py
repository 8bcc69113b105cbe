"""Guesses at keys, slowed down."""

import math
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256

from app.api.errors import TooManyWrongKeys

# Different wrong keys that an address may try; each further one doubles the wait.
_FREE = 10
_SHORTEST_S, _LONGEST_S = 1.0, 60.0
# Wrong keys that may be tried again and again: those of programs that were given an old one.
_REPEATED = 8
_FORGET_S = 600.0
# Addresses that are remembered at once.
_ADDRESSES = 4096


@dataclass(slots=True)
class _Caller:
    wrong: int = 0
    latest: deque[bytes] = field(default_factory=lambda: deque(maxlen=_REPEATED))
    """Digests of the wrong keys tried last."""
    right: set[bytes] = field(default_factory=set)
    """Digests of the keys that were right."""
    last: float = 0.0
    until: float = 0.0


class Guesses:
    """What wrong keys each address has tried, and until when it may try no more.

    One wrong key again and again is a mistake, not a guess. A key that was right for an address
    stays so, whatever others behind the same address try: a guesser there must not shut it out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._callers: OrderedDict[str, _Caller] = OrderedDict()

    def check(self, address: str, key: str, *, right: bool) -> None:
        """Take note of a key. Raises ``TooManyWrongKeys``, right or not, while an address must wait."""
        caller = self._caller(address)
        digest = sha256(key.encode()).digest()
        if right and digest in caller.right:
            return
        now = self._clock()
        if now < caller.until:
            raise TooManyWrongKeys(math.ceil(caller.until - now))
        if right:
            caller.right.add(digest)
        elif digest not in caller.latest:
            caller.latest.append(digest)
            caller.wrong = 1 if now - caller.last > _FORGET_S else caller.wrong + 1
            caller.last = now
            beyond = caller.wrong - _FREE
            if beyond >= 0:
                caller.until = now + min(_LONGEST_S, _SHORTEST_S * 2 ** min(beyond, 10))

    def _caller(self, address: str) -> _Caller:
        caller = self._callers.setdefault(address, _Caller())
        self._callers.move_to_end(address)
        if len(self._callers) > _ADDRESSES:
            self._callers.popitem(last=False)
        return caller
