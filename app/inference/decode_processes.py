"""Heavy images: decoded in processes, a few at once, the quicker ones first, within a budget of memory."""

import itertools
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

from app.errors import ImageError, Overloaded
from app.images.limits import ImageLimits
from app.images.prepare import Wanted
from app.inference.memory_budget import MemoryBudget
from app.inference.worker_process import WorkerProcess

T = TypeVar("T")

# An image goes before those that came this many times its estimated time earlier, but none is passed for ever.
_PATIENCE = 10
# Nobody waits longer for a process, and is asked to come again.
_LONGEST_WAIT_S = 120.0
# Estimates are rough, and a slow machine is no reason to give up.
_LEAST_CPU_SECONDS, _CPU_SECONDS_PER_SECOND = 5, 10


@dataclass(frozen=True, slots=True)
class HeavyImage(Generic[T]):
    """An image, what to make of it, and the bytes that this is estimated to take."""

    wanted: Wanted[T]
    data: bytes
    memory: int
    seconds: float = 0
    """Of one core, estimated."""
    known: Callable[[], T | None] = lambda: None
    """Asked when its turn has come: what was wanted may have been made meanwhile."""


class DecodeProcesses:
    """Decodes what is heavy, the quicker ones first; each caller has at most one image for each process in line."""

    def __init__(self, limits: ImageLimits, *, count: int, memory: int, callers: int) -> None:
        """Of at most ``callers``, ``count`` are served at once, together in ``memory`` bytes."""
        self._count = count
        # A thread waits for each process.
        self._pool = ThreadPoolExecutor(count, "decode-process")
        self._memory = MemoryBudget(memory)
        self._callers = threading.BoundedSemaphore(callers)
        # By the time at which patience with each is at an end, then by arrival.
        self._line: queue.PriorityQueue[tuple[float, int, Callable[[], None]]] = (
            queue.PriorityQueue()
        )
        self._arrivals = itertools.count()
        # The one that worked last is taken first, so that no more are started than are needed.
        self._idle: queue.LifoQueue[WorkerProcess] = queue.LifoQueue()
        for _ in range(count):
            self._idle.put(WorkerProcess(limits))

    def decode(self, images: Mapping[int, HeavyImage[T]]) -> dict[int, T | ImageError]:
        """Return what is wanted of each image, or why not. Raises ``Overloaded`` when too many callers wait."""
        if not images:
            return {}
        if not self._callers.acquire(blocking=False):
            raise Overloaded()
        try:
            results: dict[int, T | ImageError] = {}
            waiting: deque[tuple[int, Future[T | ImageError]]] = deque()
            for index, image in images.items():
                if len(waiting) == self._count:
                    first, future = waiting.popleft()
                    results[first] = future.result()
                waiting.append((index, self._enter(image)))
            results |= {index: future.result() for index, future in waiting}
            return results
        finally:
            self._callers.release()

    def close(self) -> None:
        """Finish what waits, then end the processes."""
        self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def _enter(self, image: HeavyImage[T]) -> "Future[T | ImageError]":
        """Take a place in line."""
        arrived, future = time.monotonic(), Future[T | ImageError]()

        def work() -> None:
            try:
                if time.monotonic() - arrived > _LONGEST_WAIT_S:
                    raise Overloaded()
                made: T | ImageError = self._decode(image)
                future.set_result(made)
            except BaseException as exc:
                future.set_exception(exc)

        self._line.put((arrived + _PATIENCE * image.seconds, next(self._arrivals), work))
        self._pool.submit(self._work_for_the_first)
        return future

    def _work_for_the_first(self) -> None:
        """Work for whoever is first in line by now."""
        _, _, work = self._line.get()
        work()

    def _decode(self, image: HeavyImage[T]) -> T | ImageError:
        with self._memory.take(image.memory):
            if (known := image.known()) is not None:
                return known
            allowed = _LEAST_CPU_SECONDS + math.ceil(_CPU_SECONDS_PER_SECOND * image.seconds)
            worker = self._idle.get()
            try:
                return worker.decode(image.wanted, image.data, image.memory, allowed)
            except ImageError as exc:
                return exc
            finally:
                self._idle.put(worker)
