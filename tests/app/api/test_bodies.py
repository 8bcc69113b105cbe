"""Bodies bounded in sum: who gives way."""

import pytest

from app.api.bodies import Bodies
from app.errors import Overloaded


def test_the_largest_that_is_arriving_gives_way() -> None:
    bodies = Bodies(100)
    with bodies.open("a") as large, bodies.open("a") as small, bodies.open("a") as arrived:
        bodies.grow(arrived, 45)
        arrived.arriving = False
        bodies.grow(large, 40)
        bodies.grow(small, 20)
        assert (large.gave_way, small.gave_way, arrived.gave_way) == (True, False, False)
        with pytest.raises(Overloaded):
            bodies.grow(large, 1)
        with pytest.raises(Overloaded):
            bodies.grow(small, 36)
    with bodies.open("a") as late:
        bodies.grow(late, 100)


def test_the_address_with_the_most_gives_way() -> None:
    bodies = Bodies(100)
    with bodies.open("a") as one, bodies.open("a") as two, bodies.open("b") as other:
        bodies.grow(one, 30)
        bodies.grow(two, 31)
        bodies.grow(other, 39)
        assert not any(body.gave_way for body in (one, two, other))
        bodies.grow(other, 1)
        assert [body.gave_way for body in (one, two, other)] == [False, True, False]
