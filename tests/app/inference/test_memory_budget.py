"""A budget of memory: never overdrawn, first come first served."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.inference.memory_budget import MemoryBudget

PATIENCE_S = 10


def test_what_is_taken_at_once_never_exceeds_the_total() -> None:
    budget, lock, taken, most = MemoryBudget(100), threading.Lock(), 0, 0

    def work(amount: int) -> None:
        nonlocal taken, most
        with budget.take(amount):
            with lock:
                taken += amount
                most = max(most, taken)
            with lock:
                taken -= amount

    with ThreadPoolExecutor(8) as callers:
        list(callers.map(work, [1, 60, 100, 45, 30] * 200))
    assert 60 <= most <= 100
    with budget.take(100):
        pass


def test_who_waits_for_much_is_not_overtaken_by_who_wants_little() -> None:
    budget, order = MemoryBudget(100), []
    waiting = threading.Event()

    def want(name: str, amount: int) -> None:
        waiting.set()
        with budget.take(amount):
            order.append(name)

    with ThreadPoolExecutor(2) as callers:
        with budget.take(50):
            much = callers.submit(want, "much", 90)
            assert waiting.wait(PATIENCE_S)
            while not budget._turn.locked():
                pass
            little = callers.submit(want, "little", 10)
            assert not little.done()
        for future in (much, little):
            future.result(PATIENCE_S)
    assert order == ["much", "little"]


def test_more_than_there_is_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="101 bytes"), MemoryBudget(100).take(101):
        pass
