"""The results of a retrieval measurement, query by query."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from trainer.evaluate.embedding import Labels
from trainer.evaluate.metrics import RECALL_AT
from trainer.evaluate.pairs import Pairs

TOP = 5


class Answer(NamedTuple):
    """One of a query's nearest gallery images."""

    path: Path
    label: str
    distance: float
    right: bool


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """N queries searched in M gallery images; row i of every array is query i.

    ``ranks`` int64 [N] counts from 1 to the first right answer; ``average_precision`` (MAP@R's
    terms) and ``r_precision`` are float64 [N]; ``top`` int64 [N, 5] holds indices in the gallery,
    nearest first, −1 where the gallery is smaller, and ``top_distances`` float32 [N, 5] their
    Euclidean distances, NaN there. Both embeddings are float32 [·, D]; without a gallery of its own
    the two are one array. ``bad`` says why a file was left out.
    """

    paths: Sequence[Path]
    labels: Labels
    embeddings: Vectors
    ranks: npt.NDArray[np.int64]
    average_precision: npt.NDArray[np.float64]
    r_precision: npt.NDArray[np.float64]
    top: npt.NDArray[np.int64]
    top_distances: npt.NDArray[np.float32]
    gallery_paths: Sequence[Path]
    gallery_labels: Labels
    gallery_embeddings: Vectors
    pairs: Pairs
    protocol: str
    without_match: int = 0
    bad: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ranks)

    def hits(self, k: int) -> npt.NDArray[np.bool_]:
        """Return whether a right answer is among a query's first ``k``, bool [N]."""
        return self.ranks <= k

    def per_query(self) -> dict[str, npt.NDArray[np.float64]]:
        """Return every figure of every query, float64 [N]; its mean is the figure."""
        recalls = {f"recall@{k}": self.hits(k).astype(np.float64) for k in RECALL_AT}
        return {**recalls, "map@r": self.average_precision, "r_precision": self.r_precision}

    def figures(self) -> dict[str, Any]:
        """Return ``recall@1`` … ``r_precision``, ``queries``, ``gallery``, ``protocol``,
        ``without_match`` and ``bad``, ready for JSON.
        """
        return {
            **{name: round(float(values.mean()), 4) for name, values in self.per_query().items()},
            "queries": len(self),
            "gallery": len(self.gallery_paths),
            "protocol": self.protocol,
            "without_match": self.without_match,
            "bad": dict(self.bad),
        }

    @property
    def files(self) -> list[Path]:
        """Every file of queries and gallery."""
        return [*self.paths, *self.gallery_paths]

    def answers(self, query: int) -> list[Answer]:
        """Return the nearest five gallery images, or as many as there are."""
        nearest = zip(self.top[query].tolist(), self.top_distances[query].tolist(), strict=True)
        return [
            Answer(
                self.gallery_paths[index],
                str(self.gallery_labels[index]),
                distance,
                bool(self.gallery_labels[index] == self.labels[query]),
            )
            for index, distance in nearest
            if index >= 0
        ]

    def select(self, indices: Sequence[int] | npt.NDArray[np.int64]) -> "Measurement":
        """Return the queries at ``indices``, in that order; gallery and pairs stay."""
        rows = np.asarray(indices, np.int64)
        return replace(
            self,
            paths=[self.paths[row] for row in rows],
            labels=self.labels[rows],
            embeddings=self.embeddings[rows],
            ranks=self.ranks[rows],
            average_precision=self.average_precision[rows],
            r_precision=self.r_precision[rows],
            top=self.top[rows],
            top_distances=self.top_distances[rows],
        )


def on_same_queries(first: Measurement, second: Measurement) -> tuple[Measurement, Measurement]:
    """Return both, less the queries that only one of them has; row i is the same file in both."""
    if list(first.paths) == list(second.paths):
        return first, second
    where = {path: index for index, path in enumerate(second.paths)}
    mine = [index for index, path in enumerate(first.paths) if path in where]
    return first.select(mine), second.select([where[first.paths[index]] for index in mine])
