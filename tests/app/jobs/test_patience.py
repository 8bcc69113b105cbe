"""Work is tried again while the service is busy, and ends when waiting does."""

import pytest

from app.errors import NotReady, Overloaded
from app.jobs.patience import patiently


def test_it_waits_as_long_as_it_is_told() -> None:
    waits: list[float] = []

    def work() -> str:
        if len(waits) < 3:
            raise Overloaded(len(waits) + 1)
        return "done"

    assert patiently(work, waits.append) == "done"
    assert waits == [1, 2, 3]


def test_other_errors_and_the_end_of_waiting_pass() -> None:
    def stop(_: float) -> None:
        raise KeyboardInterrupt

    def busy() -> None:
        raise Overloaded()

    def broken() -> None:
        raise NotReady("it is shutting down")

    with pytest.raises(KeyboardInterrupt):
        patiently(busy, stop)
    with pytest.raises(NotReady):
        patiently(broken, stop)
