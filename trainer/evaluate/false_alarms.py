"""False alarms: queries that have no match in a gallery, and are told of one."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from app.bundle.calibration import fit_tail
from app.bundle.encoder import Vectors
from app.bundle.manifest import Calibration
from app.bundle.margins import Floats, codes_of, distances, margins, margins_to
from app.bundle.tail import allowed
from trainer.evaluate.calibration import Indices, Labels

RATE = 0.05
SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)

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
        model, own = [], []
        for gallery, queries in drawn:
            known, asked = vectors[gallery], vectors[queries]
            if calibration:
                limit = calibration.tail.reach(allowed(RATE), size)
                model.append(float((nearest(asked, known) <= limit).mean()))
            classes = codes_of(labels[gallery].tolist())
            some, names = known[:_SAMPLE], classes[:_SAMPLE]
            tail = fit_tail(some, names, margins(some, names))
            if tail:
                units = margins_to(known, classes.tolist(), some, names)
                limit = tail.reach(allowed(RATE), size)
                own.append(float((nearest(asked, known, units) <= limit).mean()))
        rows.append(
            FalseAlarms(
                size,
                sum(len(queries) for _, queries in drawn),
                float(np.mean(model)) if model else None,
                float(np.mean(own)) if own else None,
            )
        )
    return rows


def nearest(queries: Vectors, gallery: Vectors, units: Floats | None = None) -> Floats:
    """Return the least distance of each of ``queries`` [N, D] to ``gallery`` [M, D], float64 [N].

    In ``units`` [M] of the gallery's images, where given.
    """
    scale = np.ones(len(gallery)) if units is None else units
    return np.concatenate(
        [
            (distances(queries[start : start + _CHUNK], gallery) / scale).min(axis=1)
            for start in range(0, len(queries), _CHUNK)
        ]
    )


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
