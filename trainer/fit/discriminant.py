"""The linear map that makes the most of frozen features with labels, in closed form.

What differs among images of one class does not matter, and is divided by: the features are whitened
by the covariance within classes, then turned to the principal axes of them all. Relevant component
analysis: Bar-Hillel et al., "Learning a Mahalanobis metric from equivalence constraints", JMLR 6,
2005; in speaker verification, within-class covariance normalisation: Hatch et al., ICSLP 2006. Three
quarters of it, and not the whole, as in ``app.bundle.whitening``: few classes do not show all that
may differ within others.
"""

import numpy as np
import numpy.typing as npt

from app.bundle.covariance import CHUNK, Covariance, covariance_around, descending
from app.bundle.linear_map import Floats, LinearMap
from app.bundle.whitening import centred_map

# Of the standard deviation within classes, by which an axis is divided.
POWER = 0.75


def fit_discriminant(
    vectors: Floats, labels: npt.NDArray[np.int32], dimension: int, power: float = POWER
) -> LinearMap:
    """Return the map of vectors like ``vectors``, float32 [N, F], to ``dimension`` axes that tell ``labels`` apart.

    Raises ``ValueError`` where no label has two vectors, or for more axes than F.
    """
    codes, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    width = vectors.shape[1]
    if not (counts > 1).any() or not 1 <= dimension <= width:
        raise ValueError(f"{len(labels)} vectors of length {width} give no {dimension} axes")
    mean = vectors.mean(axis=0, dtype=np.float64)
    means = np.zeros((len(counts), width))
    np.add.at(means, codes, vectors)
    means /= counts[:, None]
    # Of n vectors around their own mean, the squares come out too small by (n - 1) / n.
    unbiased = np.sqrt(counts / np.maximum(counts - 1, 1))
    paired = np.flatnonzero(counts[codes] > 1)
    within = Covariance(width)
    for start in range(0, len(paired), CHUNK):
        rows = paired[start : start + CHUNK]
        within.add((vectors[rows] - means[codes[rows]]) * unbiased[codes[rows], None])
    variances, axes = descending(within.shrunk())
    whitened = axes / variances ** (power / 2)
    total = covariance_around(vectors, mean).shrunk()
    turned = descending(whitened.T @ total @ whitened)[1]
    return centred_map(mean, whitened @ turned[:, :dimension])
