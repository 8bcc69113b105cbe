"""False alarms, the true matches that are kept, and how far scores are off, counted over trials."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.bundle.manifest import Calibration
from app.bundle.scoring import TOP_K
from app.gallery.calibration import SAMPLE, judge
from app.gallery.sample import learn
from app.gallery.verdict import FALSE_ALARMS, Verdict
from benchmarks.false_alarms.trials import Trial
from trainer.evaluate.calibration import expected_calibration_error

Distances = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``low`` and ``high`` are the 95 % interval of ``false_alarms``.

    ``score_error`` is the expected calibration error of the scores of the first ten answers, half of the
    queries having no match; NaN without scores.
    """

    kind: str
    images: int
    own: int
    labels: str
    calibration: str
    queries: int
    false_alarms: float
    low: float
    high: float
    kept: float
    hindsight: float
    same_rate: float
    score_error: float


class Tally:
    """Counts over the trials of one line of the table."""

    def __init__(self, kind: str, labelled: bool, calibration: Calibration | None) -> None:
        self._kind, self._labelled, self._calibration = kind, labelled, calibration
        self._images, self._own, self._source = 0, 0, ""
        self._alarms: list[npt.NDArray[np.bool_]] = []
        self._scores: list[float] = []
        self._right: list[bool] = []
        self._true = self._kept = self._allowed = self._same = 0

    def add(self, trial: Trial, alone: Distances, found: Distances) -> None:
        """Count a trial; distances [N, M] of its queries without and with a match."""
        gallery = trial.gallery
        labels: list[str | None] = [*gallery.labels.tolist()]
        if not self._labelled:
            labels = [None] * len(labels)
        ids = [str(place) for place in range(len(labels))]
        sample = learn(ids[:SAMPLE], labels[:SAMPLE], gallery.vectors[:SAMPLE])
        verdict = judge(sample, self._calibration, len(labels), FALSE_ALARMS)
        if verdict.source is None:
            return
        self._images, self._own, self._source = len(labels), trial.own, verdict.source
        units = np.ones(len(labels))
        if sample.labelled:
            units = sample.labelled.margins(labels, gallery.vectors)
        limit = reach(verdict)
        alarms = (alone / units).min(axis=1) <= limit
        nearest = alone.min(axis=1)
        true = trial.queries.labels[:, None] == gallery.labels
        matches = found[true]
        self._alarms.append(alarms)
        self._true += len(matches)
        self._kept += int(((found / units)[true] <= limit).sum())
        self._allowed += int((matches <= np.quantile(nearest, FALSE_ALARMS)).sum())
        self._same += int((matches <= np.quantile(nearest, alarms.mean())).sum())
        self._score(verdict, alone / units, np.zeros(alone.shape, bool))
        self._score(verdict, found / units, true)

    def _score(self, verdict: Verdict, apart: Distances, true: npt.NDArray[np.bool_]) -> None:
        """Note the scores of the first answers, at distances [N, M], and whether they are matches [N, M]."""
        for row, right in zip(apart, true, strict=True):
            first = np.argpartition(row, TOP_K)[:TOP_K]
            scores = [verdict.score(distance) for distance in row[first].tolist()]
            if None not in scores:
                self._scores += [score for score in scores if score is not None]
                self._right += right[first].tolist()

    def row(self) -> Row | None:
        """Return the line; None where there was no verdict."""
        if not self._alarms:
            return None
        alarms = np.concatenate(self._alarms)
        low, high = interval(int(alarms.sum()), len(alarms))
        return Row(
            self._kind,
            self._images,
            self._own,
            "yes" if self._labelled else "no",
            self._source,
            len(alarms),
            float(alarms.mean()),
            low,
            high,
            self._kept / max(self._true, 1),
            self._kept / self._allowed if self._allowed else math.nan,
            self._kept / self._same if self._same else math.nan,
            self._score_error(),
        )

    def _score_error(self) -> float:
        if not self._scores:
            return math.nan
        return expected_calibration_error(np.array(self._scores), np.array(self._right))


def reach(verdict: Verdict) -> float:
    """The greatest distance that is called a match, found by halving."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if verdict.match(middle) else (low, middle)
    return low


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval, JASA 22 (1927): as if queries were drawn one by one."""
    z, part = 1.96, hits / of
    middle = (part + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(part * (1 - part) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)
