"""Partial whitening: the linear map that makes the most of embeddings without any label.

Centred, turned to their principal axes, and each axis divided by the root of its standard
deviation: directions in which all images vary, such as how light they are, no longer drown those
that tell them apart. Whitening after PCA for image search: Jégou & Chum, "Negative evidences and
co-occurences in image retrieval", ECCV 2012; with a power between none and all of it: Radenović,
Tolias & Chum, "Fine-tuning CNN image retrieval with no human annotation", arXiv:1711.02512.
"""

import numpy as np
import numpy.typing as npt

from app.bundle.linear_map import Floats, LinearMap

# Of the standard deviation, by which an axis is divided.
POWER = 0.5


def fit_whitening(vectors: Floats, dimension: int, power: float = POWER) -> LinearMap:
    """Return the map of vectors like ``vectors``, float32 [N, F], to their first ``dimension`` axes.

    The covariance is shrunk towards a multiple of the identity (``shrinkage``), so that few vectors
    do not make axes of chance. Raises ``ValueError`` with fewer than two vectors, or for more axes
    than F.
    """
    count, width = vectors.shape
    if count < 2 or not 1 <= dimension <= width:
        raise ValueError(f"{count} vectors of length {width} give no {dimension} axes")
    mean = vectors.mean(axis=0, dtype=np.float64)
    centred = vectors - mean
    covariance = centred.T @ centred / count
    share = shrinkage(centred, covariance)
    shrunk = (1 - share) * covariance
    shrunk[np.diag_indices(width)] += share * np.trace(covariance) / width
    values, axes = np.linalg.eigh(shrunk)
    values, axes = values[::-1][:dimension], axes[:, ::-1][:, :dimension]
    # The sign of an axis is free: the larger part of it is positive, on every machine.
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(dimension)])
    deviations = np.sqrt(np.maximum(values, 1e-12 * max(float(values[0]), 1e-12)))
    matrix = axes / deviations**power
    # A common factor changes nothing after normalisation; this one keeps numbers near 1.
    matrix /= np.linalg.norm(matrix, axis=0).mean()
    return LinearMap(matrix.astype(np.float32), (-mean @ matrix).astype(np.float32))


def shrinkage(centred: npt.NDArray[np.float64], covariance: npt.NDArray[np.float64]) -> float:
    """Return how far to shrink ``covariance`` [F, F] of ``centred`` [N, F] to a multiple of the identity, 0–1.

    Ledoit & Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal
    of Multivariate Analysis 88, 2004, lemma 3.2–3.4.
    """
    count, width = centred.shape
    mean_square = float((covariance**2).sum())
    to_identity = mean_square - float(np.trace(covariance)) ** 2 / width
    if to_identity <= 0:
        return 1.0
    # Σ over vectors of |x xᵀ − S|² = Σ |x|⁴ − N |S|².
    spread = float((np.square(centred).sum(axis=1) ** 2).sum()) / count - mean_square
    return float(min(spread / count / to_identity, 1.0))
