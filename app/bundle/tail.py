"""The lower tail of distances: how many non-matching images lie near a query.

Of a query's distances to images that do not match it only the least decide about false alarms, and
the more images are searched, the nearer the nearest of them is. Minima of distances, which cannot
fall below zero, tend to a Weibull distribution (Fisher & Tippett, 1928): within a distance d,
(d / c) ** b non-matching images are to be expected, b being the intrinsic dimension of the data around
there (Amsaleg et al., "Estimating Local Intrinsic Dimensionality", KDD 2015). Images of a class
crowd together, so that twice as many images do not give twice as many queries a false alarm: the number
of images has a power of its own, at most 1.
"""

import math

from pydantic import BaseModel, ConfigDict, Field

_LARGEST_EXPONENT = 700.0


class Tail(BaseModel):
    """Expected non-matching images within a distance d: (N / images)^size_power · (d / distance)^power."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int = Field(ge=1, description="Images searched when it was measured.")
    distance: float = Field(
        gt=0, description="Distance within which one non-matching image is expected among them."
    )
    power: float = Field(gt=0, description="How fast the number grows with the distance.")
    size_power: float = Field(
        ge=0, le=1, description="How fast it grows with the number of images searched."
    )

    def log_expected(self, distance: float, images: int) -> float:
        """Return the logarithm of the number expected within ``distance`` of a query in ``images``."""
        if distance <= 0 or images < 1:
            return -math.inf
        return self.size_power * math.log(images / self.images) + self.power * math.log(
            distance / self.distance
        )

    def expected(self, distance: float, images: int) -> float:
        """Return the number of non-matching images expected within ``distance`` of a query."""
        return math.exp(min(self.log_expected(distance, images), _LARGEST_EXPONENT))

    def reach(self, expected: float, images: int) -> float:
        """Return the distance within which ``expected`` > 0 of them lie: the inverse of ``expected``."""
        grown = self.size_power * math.log(max(images, 1) / self.images)
        return self.distance * math.exp((math.log(expected) - grown) / self.power)


def allowed(false_alarms: float) -> float:
    """Return the number expected at which one in 1 / ``false_alarms`` queries has a false alarm.

    What is rare and independent is Poisson: 1 - exp(-expected) is the part with at least one.
    """
    return -math.log1p(-false_alarms)
