"""The covariance of many vectors, a chunk at a time, shrunk as far as few of them make it uncertain."""

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
# Vectors in float64 at a time.
CHUNK = 1024


class Covariance:
    """Of vectors of length ``width`` that are centred already, by their own mean or by another."""

    def __init__(self, width: int) -> None:
        self._sum = np.zeros((width, width))
        self._fourth, self._count = 0.0, 0

    @property
    def matrix(self) -> Doubles:
        """The mean of x xᵀ, [F, F]; zeros without any vector."""
        return self._sum / max(self._count, 1)

    def add(self, centred: Doubles) -> None:
        """Take up ``centred`` [N, F]."""
        self._sum += centred.T @ centred
        self._fourth += float((np.square(centred).sum(axis=1) ** 2).sum())
        self._count += len(centred)

    def shrinkage(self) -> float:
        """Return how far to shrink towards a multiple of the identity, 0–1.

        Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance matrices",
        Journal of Multivariate Analysis 88, 2004, lemma 3.2–3.4.
        """
        covariance = self.matrix
        mean_square = float((covariance**2).sum())
        to_identity = mean_square - float(np.trace(covariance)) ** 2 / len(covariance)
        if to_identity <= 0:
            return 1.0
        # Σ over vectors of |x xᵀ − S|² = Σ |x|⁴ − N |S|².
        spread = self._fourth / self._count - mean_square
        return float(min(spread / self._count / to_identity, 1.0))

    def shrunk(self) -> Doubles:
        """Return the covariance [F, F], so far shrunk that few vectors make no axes of chance."""
        share = self.shrinkage()
        covariance = (1 - share) * self.matrix
        covariance[np.diag_indices(len(covariance))] += (
            share * np.trace(self.matrix) / len(covariance)
        )
        return covariance


def covariance_around(vectors: npt.NDArray[np.float32], centre: Doubles) -> Covariance:
    """Return the covariance of ``vectors`` [N, F] around ``centre`` [F]."""
    covariance = Covariance(vectors.shape[1])
    for start in range(0, len(vectors), CHUNK):
        covariance.add(vectors[start : start + CHUNK] - centre)
    return covariance


def descending(symmetric: Doubles) -> tuple[Doubles, Doubles]:
    """Return the eigenvalues of a covariance [F], the largest first and none near zero, and their axes [F, F].

    Of an axis, whose sign is free, the largest number is positive, on every machine.
    """
    values, axes = np.linalg.eigh(symmetric)
    values, axes = values[::-1], axes[:, ::-1]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(axes))])
    return np.maximum(values, 1e-12 * max(float(values[0]), 1e-12)), axes
