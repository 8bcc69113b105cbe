"""Decodes images side by side: a bounded number at once, a bounded number waiting."""

import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from app.errors import ImageError, Overloaded
from app.images.box import Box
from app.images.limits import ImageLimits
from app.images.prepare import PreparedImage, prepare, thumbnail
from app.images.square import Resize

T = TypeVar("T")


class DecodePool:
    """Threads that turn bytes into model input and thumbnails; decoding releases the GIL.

    At most ``threads`` images are unpacked at any moment, whoever asks: that bounds memory.
    """

    def __init__(self, limits: ImageLimits, *, threads: int = 0, queue_size: int = 256) -> None:
        self._limits = limits
        self._pool = ThreadPoolExecutor(threads or os.cpu_count() or 1, "decode")
        self._room = threading.BoundedSemaphore(queue_size)

    def prepare(
        self, images: Sequence[bytes], size: int, resize: Resize, box: Box | None = None
    ) -> list[PreparedImage | ImageError]:
        """One result for each image, in order: the image (or its ``box``) as a square of ``size``, or why not.

        Raises ``Overloaded`` when too many are waiting.
        """
        futures: list[Future[PreparedImage | ImageError]] = []
        try:
            # One at a time, so that those before a refusal are known.
            futures.extend(
                self._submit(partial(self._prepare, data, size, resize, box)) for data in images
            )
        except Overloaded:
            for future in futures:
                future.cancel()
            raise
        return [future.result() for future in futures]

    def thumbnail(self, data: bytes, side: int) -> bytes:
        """Return a WebP whose longer side is at most ``side`` pixels.

        Raises an ``ImageError``, or ``Overloaded`` when too many are waiting.
        """
        return self._submit(partial(thumbnail, data, side, self._limits)).result()

    def _submit(self, work: Callable[[], T]) -> "Future[T]":
        if not self._room.acquire(blocking=False):
            raise Overloaded()
        future = self._pool.submit(work)
        future.add_done_callback(lambda _: self._room.release())
        return future

    def close(self) -> None:
        self._pool.shutdown()

    def _prepare(
        self, data: bytes, size: int, resize: Resize, box: Box | None
    ) -> PreparedImage | ImageError:
        try:
            return prepare(data, size, self._limits, box, resize)
        except ImageError as exc:
            return exc
