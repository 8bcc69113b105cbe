"""What a distance means in a search."""

import pytest

from app.bundle.tail import Tail
from app.gallery.verdict import Verdict
from tests.support.tiny_model import CALIBRATION, REACH

TAIL = CALIBRATION.tail


def test_without_a_calibration_there_is_no_verdict() -> None:
    assert Verdict(10).match(0.1) is None
    assert Verdict(10, scoring=CALIBRATION.scoring).score(0.1) is None
    assert Verdict(10, bounds=(TAIL,)).score(0.1) is None


def test_a_match_is_within_reach() -> None:
    verdict = Verdict(25, bounds=(TAIL,), scoring=CALIBRATION.scoring, source="model")
    assert [verdict.match(d) for d in (0.0, REACH - 1e-6, REACH + 1e-6)] == [True, True, False]
    scores = [verdict.score(d) or 0 for d in (0.0, 0.3, 0.5, 1.0, 1e6)]
    assert scores == sorted(scores, reverse=True)
    assert (scores[0], scores[-1]) == (1, pytest.approx(0))


def test_more_images_searched_make_a_match_less_probable() -> None:
    tail = TAIL.model_copy(update={"size_power": 0.8})
    small, large = (Verdict(n, bounds=(tail,), scoring=CALIBRATION.scoring) for n in (100, 100_000))
    assert (small.score(0.4) or 0) > (large.score(0.4) or 0)
    assert (small.match(0.39), large.match(0.39)) == (True, False)


def test_the_least_of_the_bounds_holds() -> None:
    wide = Tail(images=100, distance=2, power=4, size_power=0)
    both = Verdict(100, bounds=(TAIL, wide), scoring=CALIBRATION.scoring)
    alone = Verdict(100, bounds=(wide,), scoring=CALIBRATION.scoring)
    assert both.match(0.6) is alone.match(0.6) is True
    assert both.score(0.6) == alone.score(0.6)
