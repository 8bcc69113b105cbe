"""Guesses at keys, slowed down; mistakes and neighbours are not."""

import pytest

from app.api import guesses as module
from app.api.errors import TooManyWrongKeys
from app.api.guesses import Guesses


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guesses(clock: Clock) -> Guesses:
    return Guesses(clock)


def guess(guesses: Guesses, number: int, address: str = "a") -> None:
    for each in range(number):
        guesses.check(address, f"wrong {each}", right=False)


def test_after_some_wrong_keys_none_is_looked_at_for_longer_and_longer(
    guesses: Guesses, clock: Clock
) -> None:
    guess(guesses, 10)
    waits = []
    for number in range(8):
        with pytest.raises(TooManyWrongKeys) as refused:
            guesses.check("a", "the right one", right=True)
        waits.append(refused.value.retry_after_s)
        clock.now += refused.value.retry_after_s
        guesses.check("a", f"another {number}", right=False)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    guesses.check("b", "the right one", right=True)


def test_one_wrong_key_again_and_again_is_a_mistake(guesses: Guesses) -> None:
    for _ in range(1000):
        guess(guesses, 5)
    guesses.check("a", "the right one", right=True)


def test_a_key_that_was_right_stays_so_behind_one_address(guesses: Guesses) -> None:
    guesses.check("a", "reader", right=True)
    guess(guesses, 10)
    guesses.check("a", "reader", right=True)
    with pytest.raises(TooManyWrongKeys):
        guesses.check("a", "writer", right=True)


def test_they_are_forgotten_in_time(guesses: Guesses, clock: Clock) -> None:
    guess(guesses, 9)
    clock.now += 601
    guesses.check("a", "one more", right=False)
    guesses.check("a", "the right one", right=True)


def test_no_more_addresses_are_remembered_than_memory_is_for(
    guesses: Guesses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_ADDRESSES", 10)
    for number in range(100):
        guess(guesses, 1, str(number))
    assert len(guesses._callers) == 10
