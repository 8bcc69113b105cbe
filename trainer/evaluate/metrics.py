"""Retrieval metrics from ranked answers; Musgrave et al., "A Metric Learning Reality Check",
arXiv:2003.08505, defines R-precision and MAP@R.
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

RECALL_AT = (1, 5, 10)


def recall_at_k(hits: npt.NDArray[np.bool_], k: int) -> npt.NDArray[np.float64]:
    """Return for each query 1.0 where one of its first ``k`` answers is right; hits is [N, ≥k]."""
    return np.asarray(hits[:, :k].any(axis=1), np.float64)


def r_precision(
    hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return the part of the first R answers that is right, R being the query's number of right ones [N]."""
    return np.asarray((hits & _within(hits, relevant)).sum(axis=1) / relevant)


def map_at_r(
    hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Return (1/R) Σ over i ≤ R of the precision at i, where answer i is right."""
    counted = hits & _within(hits, relevant)
    precision = counted.cumsum(axis=1) / np.arange(1, hits.shape[1] + 1)
    return np.asarray((precision * counted).sum(axis=1) / relevant)


def _within(hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    if (relevant < 1).any() or hits.shape[1] < relevant.max(initial=0):
        raise ValueError("every query needs a right answer, and as many answers as are right")
    return np.arange(hits.shape[1])[None, :] < relevant[:, None]


@dataclass
class RetrievalFigures:
    """Means over queries, gathered chunk by chunk."""

    queries: int = 0
    _sums: dict[str, float] = field(default_factory=dict)

    def add(self, hits: npt.NDArray[np.bool_], relevant: npt.NDArray[np.int64]) -> None:
        """Add ``hits`` [N, max(10, R)] of queries with ``relevant`` [N] right answers each."""
        figures = {f"recall@{k}": recall_at_k(hits, k) for k in RECALL_AT}
        figures["map@r"] = map_at_r(hits, relevant)
        figures["r_precision"] = r_precision(hits, relevant)
        for name, values in figures.items():
            self._sums[name] = self._sums.get(name, 0.0) + float(values.sum())
        self.queries += len(hits)

    def means(self) -> dict[str, float]:
        return {name: round(total / self.queries, 4) for name, total in self._sums.items()}
