"""False alarms: queries that have no match in a gallery, and are told of one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.bundle.calibration import fit_tail
from app.bundle.encoder import Vectors
from app.bundle.manifest import Calibration
from app.bundle.tail import Tail, allowed
from trainer.evaluate.calibration import Indices, Labels

RATE = 0.05
SIZES = (30, 100, 300, 1000, 3000, 10_000)

_TRIALS = 5
_QUERIES = 500
# Images that a service looks at.
_SAMPLE = 2000
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Parts of ``queries`` without a match that are told of one in galleries of ``images``.

    By the model's calibration, and by the labels of the gallery; None where it is too small or the
    model has no calibration.
    """

    images: int
    queries: int
    model: float | None
    gallery: float | None


def false_alarms(
    calibration: Calibration | None, vectors: Vectors, labels: Labels, seed: int
) -> list[FalseAlarms]:
    """Measure on embeddings float32 [N, D] with labels [N], for each size that half of them fill.

    Each of five trials deals the classes into two halves: a gallery is drawn from one, and searched
    for images of the other. At a rate of one query in twenty.
    """
    rows = []
    for size in SIZES:
        drawn = list(_trials(labels, size, np.random.default_rng(seed)))
        if not drawn:
            break
        least = [nearest(vectors[queries], vectors[gallery]) for gallery, queries in drawn]
        tails = [
            fit_tail(vectors[gallery[:_SAMPLE]], labels[gallery[:_SAMPLE]].tolist())
            for gallery, _ in drawn
        ]
        model = [_part(calibration.tail, each, size) for each in least] if calibration else []
        own = [_part(tail, each, size) for tail, each in zip(tails, least, strict=True) if tail]
        rows.append(
            FalseAlarms(
                size,
                sum(map(len, least)),
                float(np.mean(model)) if model else None,
                float(np.mean(own)) if own else None,
            )
        )
    return rows


def nearest(queries: Vectors, gallery: Vectors) -> npt.NDArray[np.float64]:
    """Return the distance of the nearest of ``gallery`` [M, D] to each of ``queries``, float64 [N]."""
    squares = np.einsum("nd,nd->n", gallery, gallery)
    least = []
    for start in range(0, len(queries), _CHUNK):
        rows = queries[start : start + _CHUNK]
        own = np.einsum("nd,nd->n", rows, rows)[:, None]
        least.append((own + squares - 2 * rows @ gallery.T).min(axis=1))
    return np.sqrt(np.maximum(np.concatenate(least).astype(np.float64), 0))


def _part(tail: Tail, least: npt.NDArray[np.float64], images: int) -> float:
    return float((least <= tail.reach(allowed(RATE), images)).mean())


def _trials(
    labels: Labels, size: int, rng: np.random.Generator
) -> Iterator[tuple[Indices, Indices]]:
    """A gallery and its queries, as indices in ``labels``."""
    names = np.unique(labels.astype(str))
    for _ in range(_TRIALS):
        half = rng.permutation(names)[: len(names) // 2]
        order = rng.permutation(len(labels))
        inside = np.isin(labels[order].astype(str), half)
        gallery, queries = order[inside][:size], order[~inside][:_QUERIES]
        if len(gallery) == size and len(queries):
            yield gallery, queries
