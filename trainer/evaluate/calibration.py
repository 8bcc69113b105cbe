"""Distance → probability of a match, and the distance below which a result is called one.

**Pairs.** A ``score`` is read beside the results of a search, so it is made right for them. The
labelled images are dealt, whole classes at a time, into galleries of up to ``GALLERY`` images, at
most ``PER_CLASS`` of a class; every image is searched in the rest of its gallery, and with each of
its first ``TOP_K`` answers makes a pair, which matches when both have the same label. How probable
a match is at a distance depends on how many images compete for the first ranks: in a larger gallery more
strangers come as near. So the size is kept with the calibration, and checked with the same.

**Form.** Platt's logistic function of the distance or of its square, whichever is likelier. Were
the differences of a match and of strangers both Gaussian, the square would be exact.

**Threshold.** Any two images with different labels, drawn at random: of such pairs 1 % are at the
threshold or nearer. It does not depend on a gallery's size.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.special import expit

from app.bundle.encoder import Vectors
from app.bundle.manifest import Calibration
from app.index.flat import FlatIndex

Floats = npt.NDArray[np.float64]
Matches = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.object_]
Indices = npt.NDArray[np.int64]
Explain = Callable[[str], None]

TOP_K = 10
GALLERY = 1000
PER_CLASS = 20
FALSE_POSITIVE_RATE = 0.01
POWERS: tuple[Literal[1, 2], ...] = (1, 2)
MIN_CLASSES = 5
MIN_PAIRS = 20

_MAX_QUERIES = 5000
_RANDOM_PAIRS = 200_000
_CHUNK = 4096


@dataclass(frozen=True, slots=True)
class Pairs:
    """Distances float64 [M] of pairs, whether each is a match [M], and the largest gallery."""

    distances: Floats
    matches: Matches
    gallery: int


@dataclass(frozen=True, slots=True)
class Platt:
    """A logistic function, and its mean negative log likelihood."""

    intercept: float
    slope: float
    loss: float


def calibrate(
    vectors: Vectors, labels: Labels, seed: int, explain: Explain = lambda _: None
) -> Calibration | None:
    """Fit on embeddings float32 [N, D] of validation classes, with their labels [N].

    None when they are too few, or when a smaller distance does not make a match likelier; ``explain`` is
    told which, in one sentence.
    """
    if len(np.unique(labels)) < MIN_CLASSES:
        explain(f"Fewer than {MIN_CLASSES} validation classes, so distances are not calibrated.")
        return None
    pairs = search_pairs(vectors, labels, seed)
    matches = int(pairs.matches.sum())
    if min(matches, len(pairs.matches) - matches) < MIN_PAIRS:
        explain(
            f"Searches of the validation images give {matches} matches and "
            f"{len(pairs.matches) - matches} others; to calibrate distances takes {MIN_PAIRS} of each."
        )
        return None
    fits = {power: fit_platt(pairs.distances**power, pairs.matches) for power in POWERS}
    power = min(POWERS, key=lambda power: fits[power].loss)
    if fits[power].slope >= 0:
        explain("Nearer validation images match no more often, so distances are not calibrated.")
        return None
    strangers = non_match_distances(vectors, labels, seed)
    return Calibration(
        intercept=round(fits[power].intercept, 5),
        slope=round(fits[power].slope, 5),
        power=power,
        threshold=round(float(np.quantile(strangers, FALSE_POSITIVE_RATE)), 5),
        false_positive_rate=FALSE_POSITIVE_RATE,
        gallery=pairs.gallery,
    )


def calibration_error(
    calibration: Calibration, vectors: Vectors, labels: Labels, seed: int
) -> float | None:
    """Return the expected calibration error on test classes, embeddings float32 [N, D] and labels [N].

    The pairs are made as for the fit, in galleries of the size that the fit had, as far as there
    are images for it. None without two classes.
    """
    if len(np.unique(labels)) < 2:
        return None
    pairs = search_pairs(vectors, labels, seed, calibration.gallery or GALLERY)
    probabilities = match_probabilities(calibration, pairs.distances)
    return round(expected_calibration_error(probabilities, pairs.matches), 4)


def match_probabilities(calibration: Calibration, distances: Floats) -> Floats:
    """Return ``calibration.probability`` of distances [M]."""
    logits = calibration.intercept + calibration.slope * distances**calibration.power
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


def fit_platt(values: Floats, matches: Matches) -> Platt:
    """Return the 1 / (1 + exp(-(intercept + slope · value))) of greatest likelihood, for values [M].

    Platt, "Probabilistic Outputs for Support Vector Machines", 1999, with its targets a little
    inside 0 and 1, so that values which separate perfectly have a finite fit, too.
    """
    positive, negative = int(matches.sum()), int((~matches).sum())
    targets = np.where(matches, (positive + 1) / (positive + 2), 1 / (negative + 2))
    # In their own spread: the search for the minimum is then at home in any unit.
    middle, spread = float(values.mean()), float(values.std()) or 1.0
    scaled = (values - middle) / spread

    def loss(parameters: Floats) -> tuple[float, Floats]:
        logits = parameters[0] + parameters[1] * scaled
        error = expit(logits) - targets
        value = float(np.mean(np.logaddexp(0, logits) - targets * logits))
        return value, np.array([error.mean(), (error * scaled).mean()])

    # From the prior alone, as Platt starts.
    start = np.array([np.log((positive + 1) / (negative + 1)), 0.0])
    fit = minimize(loss, start, jac=True, method="BFGS")
    slope = float(fit.x[1]) / spread
    return Platt(float(fit.x[0]) - slope * middle, slope, float(fit.fun))


def search_pairs(vectors: Vectors, labels: Labels, seed: int, gallery: int = GALLERY) -> Pairs:
    """Return the pairs that searches show, as above. Vectors are float32 [N, D], labels [N].

    At most 5000 queries, in galleries of up to ``gallery`` images; memory holds one gallery.
    """
    distances: list[Floats] = []
    matches: list[Matches] = []
    queries = largest = 0
    for indices in deal(labels, gallery, np.random.default_rng(seed)):
        if queries + len(indices) > max(_MAX_QUERIES, len(indices)):
            break
        queries, largest = queries + len(indices), max(largest, len(indices))
        flat = FlatIndex(vectors.shape[1])
        flat.add([f"{index:012d}" for index in indices], vectors[indices])
        answers, nearest = flat.search(vectors[indices], min(TOP_K + 1, len(indices)))
        for index, row, apart in zip(indices, answers, nearest, strict=True):
            others = np.array([int(answer) for answer in row], np.int64)
            # Among equals its own vector may stand anywhere, or not at all.
            first = np.flatnonzero(others != index)[:TOP_K]
            distances.append(apart[first].astype(np.float64))
            matches.append(labels[others[first]] == labels[index])
    if not distances:
        return Pairs(np.empty(0), np.empty(0, bool), 0)
    return Pairs(np.concatenate(distances), np.concatenate(matches).astype(bool), largest)


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


def non_match_distances(vectors: Vectors, labels: Labels, seed: int) -> Floats:
    """Return Euclidean distances of random pairs with different labels; at most 200,000, unordered."""
    rng = np.random.default_rng(seed)
    first, second = rng.integers(len(labels), size=(2, _RANDOM_PAIRS))
    different = np.asarray(labels[first] != labels[second], bool)
    first, second = first[different], second[different]
    distances = np.empty(len(first))
    for start in range(0, len(first), _CHUNK):
        rows = slice(start, start + _CHUNK)
        apart = vectors[first[rows]].astype(np.float64) - vectors[second[rows]]
        distances[rows] = np.sqrt((apart**2).sum(axis=1))
    return distances
