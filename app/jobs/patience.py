"""Long work gives way to searches: it tries again while the service is busy."""

from collections.abc import Callable
from typing import TypeVar

from app.errors import Overloaded

T = TypeVar("T")


def patiently(work: Callable[[], T], wait: Callable[[float], None]) -> T:
    """Return ``work()``, tried again while it raises ``Overloaded``.

    ``wait`` is given the seconds to wait; it may raise to end the work.
    """
    while True:
        try:
            return work()
        except Overloaded as exc:
            wait(exc.retry_after_s)
