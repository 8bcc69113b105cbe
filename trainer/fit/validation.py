"""Recall@1 on the validation classes, which selects the weights to publish."""

import numpy as np
import numpy.typing as npt

from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.evaluate.embedding import Labelled
from trainer.evaluate.retrieval import first_hits

Hits = npt.NDArray[np.bool_]

_CLEARLY = 2.0


class Validation:
    """Each validation image is searched in all the others; ``queries`` of them have a match."""

    def __init__(self, validation: ImageCache) -> None:
        self.images = validation.images
        labels = numbered(validation.records)
        self._labels = np.array(labels, dtype=object)
        self._paired = np.bincount(labels, minlength=1)[labels] > 1 if labels else np.zeros(0, bool)
        self.queries = int(self._paired.sum())

    def hits(self, embeddings: npt.NDArray[np.float32]) -> Hits | None:
        """Return whether the nearest other image is of the same class, bool [``queries``].

        ``embeddings`` are unit vectors [N, D] of ``images``; None when no image has a match.
        """
        if not self.queries:
            return None
        return first_hits(Labelled(embeddings, self._labels).subset(self._paired))

    def clearly_worse(self, hits: Hits, best: Hits) -> bool:
        """Return whether ``best`` has more hits than ``hits``, beyond what chance among classes gives.

        Two standard deviations of the difference, were each class's as likely to have the other
        sign. The queries of a class are found or missed together, so that classes are counted, not
        queries: McNemar's test for pairs in clusters (Durkalski et al., Statistics in Medicine 22,
        2003). Four classes or fewer could never show it, however much was lost: there any loss
        counts.
        """
        classes = self._labels[self._paired].astype(np.int64)
        if len(np.unique(classes)) <= _CLEARLY**2:
            return bool(hits.sum() < best.sum())
        lost = np.bincount(classes, weights=best.astype(float) - hits.astype(float))
        return bool(lost.sum() > _CLEARLY * np.sqrt((lost**2).sum()))


def recall(hits: Hits | None) -> float | None:
    """Return the share of queries that found their class first."""
    return None if hits is None else round(float(hits.mean()), 4)
