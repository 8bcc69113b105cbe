"""Partial whitening: the linear map that makes the most of embeddings without any label.

Centred, turned to their principal axes, and each axis divided by the root of its standard
deviation: directions in which all images vary, such as how light they are, no longer drown those
that tell them apart. Whitening after PCA for image search: Jégou & Chum, "Negative evidences and
co-occurences in image retrieval", ECCV 2012; with a power between none and all of it: Radenović,
Tolias & Chum, "Fine-tuning CNN image retrieval with no human annotation", arXiv:1711.02512.
"""

import numpy as np

from app.bundle.covariance import Doubles, covariance_around, descending
from app.bundle.linear_map import Floats, LinearMap

# Of the standard deviation, by which an axis is divided.
POWER = 0.5


def fit_whitening(vectors: Floats, dimension: int, power: float = POWER) -> LinearMap:
    """Return the map of vectors like ``vectors``, float32 [N, F], to their first ``dimension`` axes.

    The covariance is shrunk (``Covariance.shrunk``), so that few vectors do not make axes of
    chance. Raises ``ValueError`` with fewer than two vectors, or for more axes than F.
    """
    count, width = vectors.shape
    if count < 2 or not 1 <= dimension <= width:
        raise ValueError(f"{count} vectors of length {width} give no {dimension} axes")
    mean = vectors.mean(axis=0, dtype=np.float64)
    variances, axes = descending(covariance_around(vectors, mean).shrunk())
    return centred_map(mean, (axes / variances ** (power / 2))[:, :dimension])


def centred_map(mean: Doubles, matrix: Doubles) -> LinearMap:
    """Return ``x`` → ``(x - mean) · matrix``, as far as lengths of 1 leave it; the numbers are near 1."""
    # A common factor changes nothing after normalisation.
    scaled = matrix / np.linalg.norm(matrix, axis=0).mean()
    return LinearMap(scaled.astype(np.float32), (-mean @ scaled).astype(np.float32))
