"""The one thread that works on jobs, in the order they came."""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from app.errors import GemelloError, StorageFull
from app.jobs.table import Job, Jobs

log = structlog.get_logger()

# How long a job waits for a disk that is full, and for one that fails to keep the table of jobs.
_RETRY_S = 5.0

Work = Callable[[Mapping[str, Any], "Progress"], None]


class Stopped(Exception):
    """Ends a job's work early: it was cancelled, or the service stops."""


class Progress:
    """What a job's work says of itself, and how it learns that it shall stop."""

    def __init__(
        self, job: Job, jobs: Jobs, stop: threading.Event, cancel: threading.Event
    ) -> None:
        self.job_id, self.done, self.total = job.id, job.done, job.total
        self._jobs, self._stop, self._cancel = jobs, stop, cancel

    @property
    def cancelled(self) -> bool:
        """Return whether it ends for good; otherwise it goes on after a restart."""
        return self._cancel.is_set()

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
        """Raise ``Stopped`` when the job was cancelled or the service stops."""
        if self._stop.is_set() or self._cancel.is_set():
            raise Stopped

    def wait(self, seconds: float) -> None:
        """Give way to others. Raises ``Stopped``."""
        self._stop.wait(seconds)
        self.check()


class JobRunner:
    """Works on what ``Jobs`` holds; ``kinds`` maps a job's kind to its work.

    Work must be able to begin again: after a restart it is called with the same arguments, and
    ``progress.done`` is what it last reported.
    """

    def __init__(self, jobs: Jobs, kinds: Mapping[str, Work]) -> None:
        self._jobs, self._kinds = jobs, kinds
        self._wake, self._stop, self._cancel = (threading.Event() for _ in range(3))
        self._current: str | None = None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)

    def start(self) -> None:
        """Go on with what an earlier run left, and then with what comes."""
        self._thread.start()

    def stop(self) -> None:
        """End at the next report; the job goes on at the next start."""
        self._stop.set()
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()

    def wake(self) -> None:
        """Look for new jobs."""
        self._wake.set()

    def cancel(self, job_id: str) -> Job:
        """Stop a job; what it has done stays done. Raises ``JobNotFound``."""
        with self._lock:
            self._jobs.move(job_id, "cancelled")
            if self._current == job_id:
                self._cancel.set()
        return self._jobs.get(job_id)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                waiting = self._jobs.unfinished()
                if waiting:
                    self._work_on(waiting[0])
                else:
                    self._wake.wait()
            except GemelloError as exc:
                # The table of jobs cannot be written now, or a job found the disk full: it goes on later.
                log.warning("jobs wait for the disk", reason=str(exc))
                self._stop.wait(_RETRY_S)

    def _work_on(self, job: Job) -> None:
        with self._lock:
            if not self._jobs.move(job.id, "running"):
                return
            self._current = job.id
            self._cancel.clear()
        log.info("job begins", job=job.id, kind=job.kind, done=job.done)
        try:
            self._kinds[job.kind](
                job.arguments, Progress(job, self._jobs, self._stop, self._cancel)
            )
        except Stopped:
            log.info("job stopped", job=job.id)
        except StorageFull:
            raise
        except GemelloError as exc:
            log.error("job failed", job=job.id, reason=str(exc))
            self._jobs.move(job.id, "failed", str(exc))
        except Exception as exc:  # a mistake of ours must not end all later jobs
            log.exception("job failed", job=job.id)
            self._jobs.move(job.id, "failed", f"the service made a mistake: {exc}")
        else:
            self._jobs.move(job.id, "succeeded")
            log.info("job done", job=job.id)
        finally:
            with self._lock:
                self._current = None
