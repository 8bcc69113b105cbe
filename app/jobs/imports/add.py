"""What all imports share: adding images chunk by chunk, and telling how far they are."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from app.errors import GemelloError
from app.gallery.gallery import Gallery
from app.gallery.new_image import AddResult, NewImage, OnConflict
from app.jobs.patience import patiently
from app.jobs.runner import Stopped

log = structlog.get_logger()

Failure = tuple[str, GemelloError]
"""What a file is called, and why it was not added."""

_LOGGED_FAILURES = 20


class ImportProgress(Protocol):
    """Is told how far an import is. Every call may raise ``Stopped`` to end it."""

    def advance(self, items: int, added: int, failures: Sequence[Failure]) -> None:
        """``items`` more are done, ``added`` of them new; ``failures`` by name."""
        ...

    def wait(self, seconds: float) -> None:
        """Give way to others."""
        ...


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file to add: what it is called in errors, and its bytes or why there are none."""

    name: str
    image: NewImage | GemelloError

    def size(self) -> int:
        """Return the bytes that it holds in memory."""
        return len(self.image.data) if isinstance(self.image, NewImage) else 0


def add_all(
    gallery: Gallery,
    candidates: Sequence[Candidate],
    progress: ImportProgress,
    on_conflict: OnConflict,
) -> tuple[list[AddResult], list[Failure]]:
    """Add those that could be read; return a result for each candidate, and what failed by name."""
    images = [c.image for c in candidates if isinstance(c.image, NewImage)]
    added = iter(
        patiently(lambda: gallery.add(images, on_conflict), progress.wait) if images else []
    )
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
class StartupImport:
    """The progress of an import at start: counts files, logs what failed."""

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
        self._check()

    def wait(self, seconds: float) -> None:
        self.stop.wait(seconds)
        self._check()

    def _check(self) -> None:
        if self.stop.is_set():
            raise Stopped
