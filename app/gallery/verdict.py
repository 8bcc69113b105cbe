"""What a distance means: whether a result of a search is called a match, and how probable one is."""

from dataclasses import dataclass
from typing import Literal

from app.bundle.scoring import Scoring
from app.bundle.tail import Tail, allowed

Source = Literal["gallery", "model"]
FALSE_ALARMS = 0.05
"""One query in twenty."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Judges the results of one search.

    ``bounds`` are upper bounds of the non-matching images to be expected within a distance, of which
    the least holds; without any there is no verdict. ``images`` were searched, and in one query in
    1 / ``false_alarms`` something that does not match may be called a match. ``scoring`` gives
    probabilities. ``source`` says whose distances the bounds are from.
    """

    images: int
    false_alarms: float = FALSE_ALARMS
    bounds: tuple[Tail, ...] = ()
    scoring: Scoring | None = None
    source: Source | None = None

    def match(self, distance: float) -> bool | None:
        """Return whether a result is called a match; None without a calibration.

        ``distance`` is in the unit of the bounds: see ``Judge.distances``.
        """
        if not self.bounds:
            return None
        least = min(tail.expected(distance, self.images) for tail in self.bounds)
        return least <= allowed(self.false_alarms)

    def score(self, distance: float) -> float | None:
        """Return the probability that a result is a match; None where nothing tells."""
        if not self.bounds or self.scoring is None:
            return None
        least = min(tail.log_expected(distance, self.images) for tail in self.bounds)
        return self.scoring.probability(least)
