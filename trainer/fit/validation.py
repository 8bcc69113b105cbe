"""How well embeddings retrieve among the validation classes, query by query; what is better beyond chance."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.evaluate.embedding import Labelled
from trainer.evaluate.retrieval import retrieved

Hits = npt.NDArray[np.bool_]
Values = npt.NDArray[np.float64]

_CLEARLY = 2.0
# One-sided, of a difference of one standard error between normal means.
_LIKELY = 0.16


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Of each query [Q]: whether its nearest image is right, its MAP@R, and its class."""

    hits: Hits
    precision: Values
    classes: npt.NDArray[np.int64]

    @property
    def recall(self) -> float:
        return round(float(self.hits.mean()), 4)

    @property
    def map_at_r(self) -> float:
        return round(float(self.precision.mean()), 4)


class Validation:
    """Each validation image is searched in all the others; ``queries`` of them, of ``classes``, have a match."""

    def __init__(self, validation: ImageCache) -> None:
        self.images = validation.images
        labels = numbered(validation.records)
        self._labels = np.array(labels, dtype=object)
        self._paired = np.bincount(labels, minlength=1)[labels] > 1 if labels else np.zeros(0, bool)
        self.queries = int(self._paired.sum())
        self.classes = len(
            {label for label, paired in zip(labels, self._paired, strict=True) if paired}
        )

    def scores(self, embeddings: npt.NDArray[np.float32]) -> Scores | None:
        """Return how each query is answered; None when no image has a match.

        ``embeddings`` are unit vectors [N, D] of ``images``.
        """
        if not self.queries:
            return None
        queries = Labelled(embeddings, self._labels).subset(self._paired)
        hits, precision = retrieved(queries)
        return Scores(hits, precision, queries.labels.astype(np.int64))


def clearly_worse(
    values: Values | Hits, best: Values | Hits, classes: npt.NDArray[np.int64]
) -> bool:
    """Return whether ``best`` is above ``values`` [Q], beyond what chance among ``classes`` gives.

    Two standard deviations of the difference, were each class's as likely to have the other
    sign. The queries of a class are found or missed together, so that classes are counted, not
    queries: McNemar's test for pairs in clusters (Durkalski et al., Statistics in Medicine 22,
    2003). Four classes or fewer could never show it, however much was lost: there any loss
    counts.
    """
    lost = _by_class(best, values, classes)
    if len(lost) <= _CLEARLY**2:
        return bool(lost.sum() > 0)
    return bool(lost.sum() > _CLEARLY * np.sqrt((lost**2).sum()))


def likely_better(values: Values, base: Values, classes: npt.NDArray[np.int64]) -> bool:
    """Return whether ``values`` are above ``base`` [Q] by more than a standard error among ``classes``.

    A one-sided t-test of the mean difference, the classes drawn whole (the ratio estimator of
    cluster sampling: Cochran, Sampling Techniques, 1977, section 6.4), so that fewer classes ask for more. Two
    classes at least.
    """
    gained = _by_class(values, base, classes)
    sizes = np.bincount(np.unique(classes, return_inverse=True)[1])
    count = len(gained)
    if count < 2:
        return False
    mean = gained.sum() / sizes.sum()
    residuals = gained - mean * sizes
    error = np.sqrt((residuals**2).sum() * count / (count - 1)) / sizes.sum()
    return bool(mean > error * student.isf(_LIKELY, count - 1) and mean > 0)


def _by_class(above: Values | Hits, below: Values | Hits, classes: npt.NDArray[np.int64]) -> Values:
    """The differences summed over each class's queries [C]."""
    codes = np.unique(classes, return_inverse=True)[1]
    differences = above.astype(np.float64) - below.astype(np.float64)
    return np.bincount(codes, weights=differences).astype(np.float64)
