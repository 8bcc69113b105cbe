"""Reads that take long or answer much: few at once, so that they never hold up the others."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import TypeVar

from fastapi import Request

from app.api.errors import CallerLeft, ReadTooLong
from app.errors import Overloaded
from app.gallery.near_duplicates import Check
from app.gallery.places import Places

T = TypeVar("T")

# An answer of so many images, or of a tenth of them with vectors, is an ordinary one.
_ORDINARY, _VECTOR = 2_000, 10
_LARGE_AT_ONCE = 2
# Of the longest kind there is one at a time, and so many wait for it.
_WAITING = 3


class DearReads:
    """Places for dear reads; whoever finds none is told to come again."""

    def __init__(self, seconds: float) -> None:
        """No long read takes more than ``seconds``, the time that it waits for its turn included."""
        self._seconds = seconds
        self._large = Places(_LARGE_AT_ONCE)
        self._thread = ThreadPoolExecutor(1, "long-read")
        self._unfinished: set[threading.Event] = set()
        """One for each long read that runs or waits; it is set to end it."""

    def large(self, images: int, *, vectors: bool = False) -> AbstractContextManager[None]:
        """Return what holds a place while an answer of ``images`` is made, if it needs one.

        Entering it raises ``Overloaded`` when none is free.
        """
        ordinary = images * (_VECTOR if vectors else 1) <= _ORDINARY
        return nullcontext() if ordinary else self._large.taken()

    async def long(self, request: Request, work: Callable[[Check], T]) -> T:
        """Return ``work(check)``, done in a thread of its own; ``check`` raises once nobody waits any more.

        Raises ``Overloaded`` when too many wait, ``ReadTooLong`` when the time is over, ``CallerLeft``.
        """
        if len(self._unfinished) > _WAITING:
            raise Overloaded()
        over = threading.Event()
        self._unfinished.add(over)
        future = self._thread.submit(work, lambda: _check(over))
        future.add_done_callback(lambda _: self._unfinished.discard(over))
        try:
            return await self._awaited(request, future)
        finally:
            over.set()

    async def _awaited(self, request: Request, future: "Future[T]") -> T:
        answer, left = asyncio.wrap_future(future), asyncio.create_task(_left(request))
        try:
            await asyncio.wait(
                (answer, left), timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if answer.done():
                return answer.result()
            if left.done():
                raise CallerLeft
            raise ReadTooLong(self._seconds)
        finally:
            answer.cancel()
            left.cancel()

    def end(self) -> None:
        """Let what runs end at its next look, and what waits not begin."""
        for over in list(self._unfinished):
            over.set()

    def close(self) -> None:
        """End, and wait for it."""
        self.end()
        self._thread.shutdown(cancel_futures=True)


def _check(over: threading.Event) -> None:
    if over.is_set():
        raise CallerLeft


async def _left(request: Request) -> None:
    """Return when the caller has left."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
