"""What distances mean: how near non-matching images come, and how probable a match is.

**The tail** of the distances between validation images of different classes is fitted by
``app.bundle.calibration``, as the service fits that of a gallery.

**Pairs.** A ``score`` is read beside the results of a search, so it is made right for them. The
labelled images are dealt, whole classes at a time, into galleries of several sizes, at most
``PER_CLASS`` of a class. Every image of a gallery is searched in the rest of it, and as many
images of other classes, which have no match there; each of a query's first ``TOP_K`` answers is a
pair, which matches when both have the same label.

**Form.** Platt's logistic function of the logarithm of the non-matching images that are to be
expected as near, among as many images. So it holds for any number of them.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from app.bundle.calibration import MIN_IMAGES, fit_tail, spread
from app.bundle.encoder import Vectors
from app.bundle.manifest import Calibration
from app.bundle.margins import codes_of
from app.bundle.scoring import MIN_PAIRS, TOP_K, fit_scoring
from app.bundle.tail import Tail
from app.index.flat import FlatIndex

Floats = npt.NDArray[np.float64]
Matches = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]
Explain = Callable[[str], None]

GALLERIES = (30, 100, 300, 1000)
PER_CLASS = 20
MIN_CLASSES = 5

_MAX_QUERIES = 2000
# Images whose distances are looked at for the tail.
_TAIL_IMAGES = 5000


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distances float64 [M] of pairs, whether each is a match [M], and the images searched [M]."""

    distances: Floats
    matches: Matches
    images: Indices


def calibrate(
    vectors: Vectors, labels: Labels, seed: int, explain: Explain = lambda _: None
) -> Calibration | None:
    """Fit on embeddings float32 [N, D] of validation classes, with their labels [N].

    None when they are too few, or when a smaller distance does not make a match likelier; ``explain`` is
    told which, in one sentence.
    """
    classes = len(np.unique(labels))
    if classes < MIN_CLASSES:
        explain(f"Fewer than {MIN_CLASSES} validation classes, so distances are not calibrated.")
        return None
    order = np.random.default_rng(seed).permutation(len(labels))[:_TAIL_IMAGES]
    tail = fit_tail(vectors[order], codes_of(labels[order].tolist()))
    if tail is None:
        explain(
            f"{len(labels)} validation images; to calibrate distances takes {MIN_IMAGES} that "
            "differ."
        )
        return None
    pairs = search_pairs(vectors, labels, seed)
    matches = int(pairs.matches.sum())
    if min(matches, len(pairs.matches) - matches) < MIN_PAIRS:
        explain(
            f"Searches of the validation images give {matches} matches and "
            f"{len(pairs.matches) - matches} others; to calibrate distances takes {MIN_PAIRS} of each."
        )
        return None
    fit = fit_scoring(log_expected(tail, pairs), pairs.matches)
    if fit.slope >= 0:
        explain("Nearer validation images match no more often, so distances are not calibrated.")
        return None
    return Calibration(
        tail=tail,
        spread=round(spread(vectors[order]), 6),
        intercept=round(fit.intercept, 5),
        slope=round(fit.slope, 5),
        images=len(labels),
        classes=classes,
    )


def log_expected(tail: Tail, pairs: Pairs) -> Floats:
    """Return ``tail.log_expected`` of each pair, float64 [M]; that of a copy is finite, too."""
    return np.array(
        [
            tail.log_expected(max(distance, 1e-6), images)
            for distance, images in zip(
                pairs.distances.tolist(), pairs.images.tolist(), strict=True
            )
        ],
        np.float64,
    )


def calibration_error(
    calibration: Calibration, vectors: Vectors, labels: Labels, seed: int
) -> float | None:
    """Return the expected calibration error on test classes, embeddings float32 [N, D] and labels [N].

    The pairs are made as for the fit. None where there are too few classes for any.
    """
    pairs = search_pairs(vectors, labels, seed)
    if not len(pairs.distances):
        return None
    probabilities = match_probabilities(calibration, pairs)
    return round(expected_calibration_error(probabilities, pairs.matches), 4)


def match_probabilities(calibration: Calibration, pairs: Pairs) -> Floats:
    """Return the probabilities of pairs, float64 [M]."""
    logits = calibration.intercept + calibration.slope * log_expected(calibration.tail, pairs)
    return np.asarray(expit(logits), np.float64)


def expected_calibration_error(probabilities: Floats, matches: Matches, bins: int = 10) -> float:
    """Return Σ over bins of (its pairs / all pairs) · |mean probability - part that matches|.

    ``bins`` equal ones from 0 to 1, the last with its end. Naeini et al., AAAI 2015; Guo et al.,
    "On Calibration of Modern Neural Networks", arXiv:1706.04599. Raises ``ValueError`` without a
    pair.
    """
    if not len(probabilities) or len(probabilities) != len(matches):
        raise ValueError(f"{len(probabilities)} probabilities and {len(matches)} matches")
    indices = np.minimum((probabilities * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(indices, weights=probabilities - matches, minlength=bins)
    return float(np.abs(gaps).sum() / len(probabilities))


def search_pairs(vectors: Vectors, labels: Labels, seed: int) -> Pairs:
    """Return the pairs that searches show, as above. Vectors are float32 [N, D], labels [N].

    At most 2000 queries with a match, and as many without, for each size; memory holds one gallery.
    """
    rng = np.random.default_rng(seed)
    found = [
        _first_answers(vectors, labels, gallery, rng)
        for size in GALLERIES
        if size <= len(labels) / 2
        for gallery in _some(deal(labels, size, rng))
    ]
    if not found:
        return Pairs(np.empty(0), np.empty(0, bool), np.empty(0, np.int64))
    return Pairs(
        np.concatenate([pairs.distances for pairs in found]),
        np.concatenate([pairs.matches for pairs in found]),
        np.concatenate([pairs.images for pairs in found]),
    )


def _some(galleries: Iterator[Indices]) -> Iterator[Indices]:
    """Galleries of one size, as long as they do not give more queries than wanted."""
    queries = 0
    for gallery in galleries:
        queries += len(gallery)
        if queries > max(_MAX_QUERIES, len(gallery)):
            return
        yield gallery


def _first_answers(
    vectors: Vectors, labels: Labels, gallery: Indices, rng: np.random.Generator
) -> Pairs:
    """The pairs of one gallery's own images, and of as many of other classes."""
    others = np.flatnonzero(~np.isin(labels.astype(str), np.unique(labels[gallery].astype(str))))
    queries = np.concatenate([gallery, rng.permutation(others)[: len(gallery)]])
    flat = FlatIndex(vectors.shape[1])
    flat.add([f"{index:012d}" for index in gallery], vectors[gallery])
    answers, nearest = flat.search(vectors[queries], min(TOP_K + 1, len(gallery)))
    distances: list[Floats] = []
    matches: list[Matches] = []
    for index, row, apart in zip(queries, answers, nearest, strict=True):
        found = np.array([int(answer) for answer in row], np.int64)
        # Among equals its own vector may stand anywhere, or not at all.
        first = np.flatnonzero(found != index)[:TOP_K]
        distances.append(apart[first].astype(np.float64))
        matches.append(np.asarray(labels[found[first]] == labels[index], bool))
    every = np.concatenate(distances)
    return Pairs(every, np.concatenate(matches), np.full(len(every), len(gallery), np.int64))


def deal(labels: Labels, size: int, rng: np.random.Generator) -> Iterator[Indices]:
    """Yield indices in ``labels``, in galleries of up to ``size``: whole classes in random order.

    At most ``PER_CLASS`` of a class, drawn at random, so that a common class does not crowd out the
    others. A rest too small for a gallery of about the size is left out, unless there is nothing
    else.
    """
    order = rng.permutation(len(labels))
    classes: dict[object, list[int]] = {}
    for index in order.tolist():
        classes.setdefault(labels[index], []).append(index)
    names = list(classes)
    gallery: list[int] = []
    full = False
    for number in rng.permutation(len(names)).tolist():
        indices = classes[names[number]][:PER_CLASS]
        if gallery and len(gallery) + len(indices) > size:
            yield np.array(gallery, np.int64)
            gallery, full = [], True
        gallery += indices
    if gallery and (not full or len(gallery) >= 0.9 * size):
        yield np.array(gallery, np.int64)
