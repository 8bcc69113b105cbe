"""What a distance means: whether a result of a search is called a match, and how probable one is."""

from dataclasses import dataclass
from typing import Literal

from app.bundle.manifest import Calibration
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
    bounds: tuple[tuple[Tail, float], ...] = ()
    """Each with the factor that distances are multiplied by first."""
    scoring: Calibration | None = None
    source: Source | None = None

    def match(self, distance: float) -> bool | None:
        """Return whether a result at ``distance`` is called a match; None without a calibration."""
        if not self.bounds:
            return None
        return any(
            tail.expected(distance * factor, self.images) <= allowed(self.false_alarms)
            for tail, factor in self.bounds
        )

    def score(self, distance: float) -> float | None:
        """Return the probability that a result at ``distance`` is a match; None without a calibration."""
        if not self.bounds or self.scoring is None:
            return None
        least = min(
            tail.log_expected(distance * factor, self.images) for tail, factor in self.bounds
        )
        return self.scoring.probability(least)
