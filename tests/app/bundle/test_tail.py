"""The number of non-matching images expected within a distance."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bundle.tail import Tail, allowed

TAIL = Tail(images=1000, distance=0.8, power=10, size_power=0.7)


def test_one_is_expected_where_the_tail_says_so() -> None:
    assert TAIL.expected(0.8, 1000) == 1
    assert TAIL.expected(0.4, 1000) == pytest.approx(0.5**10)
    assert TAIL.expected(0.8, 10_000) == pytest.approx(10**0.7)


@given(st.floats(1e-6, 0.5), st.integers(1, 10**9))
def test_reach_is_the_inverse_of_the_number_expected(rate: float, images: int) -> None:
    distance = TAIL.reach(allowed(rate), images)
    assert TAIL.expected(distance, images) == pytest.approx(allowed(rate))


def test_nothing_overflows() -> None:
    steep = TAIL.model_copy(update={"power": 64.0})
    assert steep.expected(1e6, 10**9) > 1e100
    assert steep.expected(0, 10**9) == 0
    assert steep.log_expected(0.1, 0) == -math.inf


def test_what_is_allowed_is_a_poisson_rate() -> None:
    assert 1 - math.exp(-allowed(0.05)) == pytest.approx(0.05)
