"""Heavy images: decoded in processes, a few at once, within a budget of memory."""

import queue
import threading
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


@dataclass(frozen=True, slots=True)
class HeavyImage(Generic[T]):
    """An image, what to make of it, and the bytes that this is estimated to take."""

    wanted: Wanted[T]
    data: bytes
    memory: int
    known: Callable[[], T | None] = lambda: None
    """Asked when its turn has come: what was wanted may have been made meanwhile."""


class DecodeProcesses:
    """Decodes what is heavy, in order of arrival; each caller has at most one image for each process in line."""

    def __init__(self, limits: ImageLimits, *, count: int, memory: int, callers: int) -> None:
        """Of at most ``callers``, ``count`` are served at once, together in ``memory`` bytes."""
        self._count = count
        # A thread waits for each process.
        self._pool = ThreadPoolExecutor(count, "decode-process")
        self._memory = MemoryBudget(memory)
        self._callers = threading.BoundedSemaphore(callers)
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
                waiting.append((index, self._pool.submit(self._decode, image)))
            results |= {index: future.result() for index, future in waiting}
            return results
        finally:
            self._callers.release()

    def close(self) -> None:
        """Finish what waits, then end the processes."""
        self._pool.shutdown()
        while not self._idle.empty():
            self._idle.get().close()

    def _decode(self, image: HeavyImage[T]) -> T | ImageError:
        with self._memory.take(image.memory):
            if (known := image.known()) is not None:
                return known
            worker = self._idle.get()
            try:
                return worker.decode(image.wanted, image.data, image.memory)
            except ImageError as exc:
                return exc
            finally:
                self._idle.put(worker)
