"""What an import needs of whoever waits for it, and the adding that all imports share."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from app.errors import GemelloError, Overloaded
from app.gallery.gallery import AddResult, Gallery, NewImage, OnConflict
from app.jobs.runner import Stopped

log = structlog.get_logger()

T = TypeVar("T")
Failure = tuple[str, GemelloError]

CHUNK = 16
"""Images read into memory, and written in one transaction, at a time."""
_LOGGED_FAILURES = 20


class Watcher(Protocol):
    """Is told how far an import is. Every call raises ``Stopped`` when there is no use in going on."""

    def advance(self, items: int, added: int, failures: Sequence[Failure]) -> None:
        """``items`` more are done, ``added`` of them new; ``failures`` by name."""
        ...

    def patiently(self, work: Callable[[], T]) -> T:
        """``work()``, tried again while the service is busy."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to add: what it is called in errors, and its bytes or why there are none."""

    name: str
    image: NewImage | GemelloError


def add_all(
    gallery: Gallery, candidates: Sequence[Candidate], watcher: Watcher, on_conflict: OnConflict
) -> tuple[list[AddResult], list[Failure]]:
    """Add those that could be read; a result for each candidate, and what failed by name."""
    images = [c.image for c in candidates if isinstance(c.image, NewImage)]
    added = iter(watcher.patiently(lambda: gallery.add(images, on_conflict)) if images else [])
    results = [
        next(added) if isinstance(c.image, NewImage) else AddResult("failed", error=c.image)
        for c in candidates
    ]
    failures = [
        (candidate.name, result.error)
        for candidate, result in zip(candidates, results, strict=True)
        if result.error is not None
    ]
    return results, failures


def count_added(results: Sequence[AddResult]) -> int:
    return sum(result.status in ("created", "replaced") for result in results)


@dataclass
class Progress:
    """The watcher of an import at start: counts files, logs what failed."""

    folder: str
    stop: threading.Event = field(default_factory=threading.Event)
    seen: int = 0
    added: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    def advance(self, items: int, added: int, failures: Sequence[Failure]) -> None:
        self.seen += items
        self.added += added
        self.failed += len(failures)
        for name, error in failures:
            if len(self.failures) < _LOGGED_FAILURES:
                self.failures.append(f"{name}: {error}")
                log.warning("image not indexed", file=name, reason=str(error))
        if self.stop.is_set():
            raise Stopped

    def patiently(self, work: Callable[[], T]) -> T:
        while not self.stop.is_set():
            try:
                return work()
            except Overloaded as exc:
                self.stop.wait(exc.retry_after_s)
        raise Stopped
