"""The one place where images are unpacked: bounded in memory and in number, and light ones wait for no heavy ones."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from app.errors import ImageError, ImageTooLarge, Overloaded
from app.images.box import Box
from app.images.cost import Cost
from app.images.estimate import Estimate
from app.images.formats import opens_at_once
from app.images.limits import ImageLimits
from app.images.opened import OpenedImage
from app.images.prepare import ModelInput, PreparedImage, Thumbnail, Wanted
from app.images.square import Resize
from app.inference.decode_processes import DecodeProcesses, HeavyImage
from app.inference.memory_budget import MemoryBudget

T = TypeVar("T")

# What is light is decoded in a thread: soon enough that the next one need not be let past it, and, where
# the decoder holds the interpreter's lock, that nobody notices.
_LIGHT_MEMORY, _LIGHT_MEMORY_TOGETHER = 32_000_000, 64_000_000
_LIGHT_SHARE = 8
_LIGHT_SECONDS, _LIGHT_SECONDS_LOCKED = 0.2, 0.05
# What reading a header takes in a process, beside copies of the file.
_OPENING_MEMORY = 16_000_000
# Each process takes some 40 MB before it has an image.
_MOST_PROCESSES = 4


class DecodePool:
    """Threads for light images, and processes for heavy ones, which can be killed.

    Headers that may lead their reader astray are read in a process too. Heavy images, and those whose header
    does not bind the decoder, share ``memory`` bytes by what each is estimated to take, and leave a core to
    the light ones. A light one takes a moment and at most 32 MB, one in each of ``threads``; together they
    take 64 MB or an eighth of ``memory``. At most ``queue_size`` light images wait, and ``heavy_callers`` of
    those who bring heavy ones.
    """

    def __init__(
        self,
        limits: ImageLimits,
        *,
        threads: int = 0,
        queue_size: int = 256,
        heavy_callers: int = 32,
        memory: int = 2**30,
    ) -> None:
        self._limits, self._memory = limits, memory
        threads = threads or os.cpu_count() or 1
        self._pool = ThreadPoolExecutor(threads, "decode")
        self._room = threading.BoundedSemaphore(queue_size)
        self._light_memory = MemoryBudget(max(_LIGHT_MEMORY_TOGETHER, memory // _LIGHT_SHARE))
        self._processes = DecodeProcesses(
            limits,
            count=max(1, min(threads - 1, _MOST_PROCESSES)),
            memory=memory,
            callers=heavy_callers,
        )

    def prepare(
        self, images: Sequence[bytes], size: int, resize: Resize, box: Box | None = None
    ) -> list[PreparedImage | ImageError]:
        """One result for each image, in order: the image (or its ``box``) as a square of ``size``, or why not.

        Raises ``Overloaded`` when too many are waiting.
        """
        return self._make(ModelInput(size, resize, box), images)

    def thumbnail(
        self, data: bytes, side: int, known: Callable[[], bytes | None] = lambda: None
    ) -> bytes:
        """Return a WebP whose longer side is at most ``side`` pixels.

        A heavy image may wait long: ``known`` is asked then whether somebody else has made it. Raises an ``ImageError``, or ``Overloaded`` when too many are waiting.
        """
        (made,) = self._make(Thumbnail(side), [data], known)
        if isinstance(made, ImageError):
            raise made
        return made

    def close(self) -> None:
        """Finish what waits, then stop."""
        self._pool.shutdown()
        self._processes.close()

    def _make(
        self,
        wanted: Wanted[T],
        images: Sequence[bytes],
        known: Callable[[], T | None] = lambda: None,
    ) -> list[T | ImageError]:
        results: dict[int, T | ImageError] = {}
        light: dict[int, Future[T | ImageError]] = {}
        unread: dict[int, HeavyImage[Cost]] = {}
        costs: dict[int, Cost | ImageError] = {}
        try:
            for index, data in enumerate(images):
                if not opens_at_once(data):
                    memory = min(_OPENING_MEMORY + 3 * len(data), self._memory)
                    unread[index] = HeavyImage(Estimate(wanted), data, memory)
                    continue
                try:
                    opened = wanted.open(data, self._limits)
                    cost = wanted.cost(opened)
                except ImageError as exc:
                    results[index] = exc
                    continue
                if _is_light(cost) and cost.memory <= self._memory:
                    light[index] = self._submit(wanted, opened, cost)
                else:
                    costs[index] = cost
            read = self._processes.decode(unread)
            costs |= read
            heavy: dict[int, HeavyImage[T]] = {}
            for index, said in costs.items():
                if isinstance(said, ImageError):
                    results[index] = said
                elif said.memory > self._memory:
                    what = "bytes while it is decoded"
                    results[index] = ImageTooLarge(
                        what, said.memory, self._memory, "MAX_DECODE_MEMORY"
                    )
                else:
                    heavy[index] = HeavyImage(
                        wanted, images[index], said.memory, said.seconds, known
                    )
            decoded = self._processes.decode(heavy)
        except Overloaded:
            for future in light.values():
                future.cancel()
            raise
        results |= decoded
        results |= {index: future.result() for index, future in light.items()}
        return [results[index] for index in range(len(images))]

    def _submit(
        self, wanted: Wanted[T], opened: OpenedImage, cost: Cost
    ) -> "Future[T | ImageError]":
        if not self._room.acquire(blocking=False):
            raise Overloaded()
        future = self._pool.submit(self._decode, wanted, opened, cost)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def _decode(self, wanted: Wanted[T], opened: OpenedImage, cost: Cost) -> T | ImageError:
        try:
            with self._light_memory.take(cost.memory):
                return wanted.make(opened)
        except ImageError as exc:
            return exc


def _is_light(cost: Cost) -> bool:
    seconds = _LIGHT_SECONDS_LOCKED if cost.holds_lock else _LIGHT_SECONDS
    return cost.binding and cost.memory <= _LIGHT_MEMORY and cost.seconds <= seconds
