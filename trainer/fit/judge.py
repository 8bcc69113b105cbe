"""Recall@1 on the validation classes: what chooses the best weights."""

import numpy as np
import numpy.typing as npt

from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.evaluate.retrieval import Labelled, retrieval


class Judge:
    """Each validation image is searched in all the others; ``queries`` of them have a match."""

    def __init__(self, validation: ImageCache) -> None:
        self.images = validation.images
        self._labels = np.array(numbered(validation.records), dtype=object)
        counts = {label: int((self._labels == label).sum()) for label in set(self._labels)}
        self._paired = np.array([counts[label] > 1 for label in self._labels], bool)
        self.queries = int(self._paired.sum())

    def recall(self, embeddings: npt.NDArray[np.float32]) -> float | None:
        """``embeddings`` [N, D] of ``images``, unit length; None when no image has a match."""
        if not self.queries:
            return None
        figures = retrieval(Labelled(embeddings, self._labels).subset(self._paired))
        return float(figures["recall@1"])
