"""Joins concurrent requests into one inference: whatever is waiting goes, nothing is waited for."""

import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field

import numpy as np

from app.bundle.encoder import Encoder, Vectors
from app.errors import NotReady, Overloaded
from app.images.prepare import Pixels


@dataclass(frozen=True, slots=True)
class _Job:
    images: Pixels
    future: "Future[Vectors]"
    since: float = field(default_factory=time.perf_counter)


class Batcher:
    """One thread that owns the encoder, behind a bounded queue."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        max_batch: int = 16,
        queue_size: int = 256,
        observe: Callable[[str, float], None] = lambda _stage, _seconds: None,
    ) -> None:
        """``observe`` is told the seconds of every wait (``queue``) and every ``inference``."""
        self.encoder, self._observe = encoder, observe
        self.last_success = float("-inf")
        """``time.monotonic()`` of the last inference that worked."""
        self._max_batch = max_batch
        self._queue: queue.Queue[_Job | None] = queue.Queue(queue_size)
        self._left_over: _Job | None = None
        self._closed = False
        self._closing = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="batcher", daemon=True)
        self._thread.start()

    @property
    def depth(self) -> int:
        """Return how many jobs wait."""
        return self._queue.qsize()

    def embed(self, images: Pixels) -> Vectors:
        """uint8 [N, S, S, 3] → float32 [N, D], in slices of at most ``max_batch``.

        Raises ``Overloaded`` when the queue is full, ``NotReady`` once closed.
        """
        slices = range(0, len(images), self._max_batch)
        parts = [self.submit(images[i : i + self._max_batch]).result() for i in slices]
        return np.concatenate(parts) if parts else self.encoder.embed(images)

    def submit(self, images: Pixels) -> "Future[Vectors]":
        """Queue up to ``max_batch`` images and return at once. Raises as ``embed`` does."""
        job = _Job(images, Future())
        # A job queued behind the end would never be answered.
        with self._closing:
            if self._closed:
                raise NotReady("it is shutting down")
            try:
                self._queue.put_nowait(job)
            except queue.Full as exc:
                raise Overloaded() from exc
        return job.future

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._closing:
            first, self._closed = not self._closed, True
        if first:
            self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while (job := self._left_over or self._queue.get()) is not None:
            jobs, stop = self._gather(job)
            # A caller who gave up in the meantime has cancelled; from here on nobody can.
            waiting = [job for job in jobs if job.future.set_running_or_notify_cancel()]
            for job in waiting:
                self._observe("queue", time.perf_counter() - job.since)
            if waiting:
                self._infer(waiting)
            if stop:
                return

    def _gather(self, first: _Job) -> tuple[list[_Job], bool]:
        """``first`` and what waits behind it, as far as it fits; and whether the end was reached."""
        self._left_over = None
        jobs, count = [first], len(first.images)
        while count < self._max_batch:
            try:
                job = self._queue.get_nowait()
            except queue.Empty:
                break
            if job is None:
                return jobs, True
            if count + len(job.images) > self._max_batch:
                self._left_over = job
                break
            jobs.append(job)
            count += len(job.images)
        return jobs, False

    def _infer(self, jobs: list[_Job]) -> None:
        start = time.perf_counter()
        try:
            vectors = self.encoder.embed(np.concatenate([job.images for job in jobs]))
        except Exception as exc:
            if len(jobs) == 1:
                jobs[0].future.set_exception(exc)
                return
            # One poisonous image must not fail those that were batched with it.
            for job in jobs:
                self._infer([job])
            return
        self._observe("inference", time.perf_counter() - start)
        self.last_success = time.monotonic()
        first = 0
        for job in jobs:
            job.future.set_result(vectors[first : first + len(job.images)])
            first += len(job.images)
