"""The one thread that works on jobs, in the order they came, but for those that go first."""

import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from app.errors import GemelloError, StorageFull
from app.jobs.table import Job, Jobs

log = structlog.get_logger()

# How long a job waits for a disk that is full, and for one that fails to keep the table of jobs.
_RETRY_S = 5.0

Work = Callable[[Mapping[str, Any], "Progress"], None]


# How long jobs wait where the disk has no room, or the table of jobs cannot be written.
_RETRY_S = 10.0


class Stopped(Exception):
    """Ends a job's work early: it was cancelled, another goes first, or the service stops."""


class Progress:
    """What a job's work says of itself, and how it learns that it shall stop."""

    def __init__(
        self, job: Job, jobs: Jobs, stop: threading.Event, interrupt: threading.Event
    ) -> None:
        self.job_id, self.done, self.total = job.id, job.done, job.total
        self._jobs, self._stop, self._interrupt = jobs, stop, interrupt

    def report(
        self, done: int, failures: Sequence[tuple[str, GemelloError]] = (), added: int = 0
    ) -> None:
        """Write down ``done`` items in all, ``added`` and ``failures`` since last time. Raises ``Stopped``."""
        self.done = done
        self._jobs.report(self.job_id, done, self.total, added, failures)
        self.check()

    def advance(self, items: int, added: int, failures: Sequence[tuple[str, GemelloError]]) -> None:
        """Write down ``items`` more, of which ``added`` are new. Raises ``Stopped``."""
        self.report(self.done + items, failures, added)

    def check(self) -> None:
        """Raise ``Stopped`` when the job was cancelled, another goes first, or the service stops."""
        if self._stop.is_set() or self._interrupt.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Give way to others. Raises ``Stopped``."""
        self._interrupt.wait(seconds)
        self.check()


class JobRunner:
    """Works on what ``Jobs`` holds; ``kinds`` maps a job's kind to its work.

    Work must be able to begin again: after a restart it is called with the same arguments, and
    ``progress.done`` is what it last reported. So work on another kind gives way to jobs of the kinds
    ``first``, and work that finds no room on the disk waits for it. ``ended`` is told of each job that has
    ended for good, after that was written down.
    """

    def __init__(
        self,
        jobs: Jobs,
        kinds: Mapping[str, Work],
        *,
        first: Collection[str] = (),
        ended: Callable[[Job], None] = lambda _: None,
    ) -> None:
        self._jobs, self._kinds, self._first, self._ended = jobs, kinds, first, ended
        self._wake, self._stop, self._interrupt = (threading.Event() for _ in range(3))
        self._current: Job | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Go on with what an earlier run left, and then with what comes."""
        self._thread.start()

    def stop(self) -> None:
        """End at the next report; the job goes on at the next start."""
        self._stop.set()
        with self._lock:
            self._interrupt.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look for new jobs."""
        with self._lock:
            if self._current and self._current.kind not in self._first:
                following = self._next()
                if following and following.kind in self._first:
                    self._interrupt.set()
        self._wake.set()

    def cancel(self, job_id: str) -> Job:
        """Stop a job; what it has done stays done. Raises ``JobNotFound``."""
        with self._lock:
            cancelled = self._jobs.move(job_id, "cancelled")
            running = self._current is not None and self._current.id == job_id
            if running:
                self._interrupt.set()
        job = self._jobs.get(job_id)
        if cancelled and not running:
            self._ended(job)
        return job

    def _next(self) -> Job | None:
        waiting = self._jobs.unfinished()
        return min(waiting, key=lambda job: job.kind not in self._first, default=None)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                job = self._next()
                if job is None:
                    self._wake.wait()
                else:
                    self._work_on(job)
            except GemelloError as exc:  # of the table of jobs itself
                log.error("jobs wait", reason=str(exc))
                self._stop.wait(_RETRY_S)

    def _work_on(self, job: Job) -> None:
        with self._lock:
            if not self._jobs.move(job.id, "running"):
                return
            self._current = job
            if not self._stop.is_set():
                self._interrupt.clear()
        log.info("job begins", job=job.id, kind=job.kind, done=job.done)
        try:
            self._finish(job)
        finally:
            with self._lock:
                self._current = None
        ended = self._jobs.get(job.id)
        if ended.finished:
            self._ended(ended)

    def _finish(self, job: Job) -> None:
        progress = Progress(job, self._jobs, self._stop, self._interrupt)
        try:
            self._kinds[job.kind](job.arguments, progress)
        except Stopped:
            log.info("job stopped", job=job.id)
            if not self._stop.is_set():
                self._jobs.move(job.id, "queued")
        except StorageFull:
            log.warning("job waits for room on the disk", job=job.id)
            self._jobs.move(job.id, "queued", "the disk is full; it goes on once there is room")
            self._interrupt.wait(_RETRY_S)
        except GemelloError as exc:
            log.error("job failed", job=job.id, reason=str(exc))
            self._jobs.move(job.id, "failed", exc.detail)
        except Exception:  # a mistake of ours must not end all later jobs
            log.exception("job failed", job=job.id)
            self._jobs.move(
                job.id,
                "failed",
                "the service made a mistake; its log has the details under this id",
            )
        else:
            self._jobs.move(job.id, "succeeded")
            log.info("job done", job=job.id)
