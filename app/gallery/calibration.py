"""Keeps what is known of distances in a gallery, and judges its searches by it."""

import threading
from dataclasses import dataclass

import numpy as np

from app.bundle.calibration import MIN_IMAGES
from app.bundle.manifest import Calibration
from app.gallery.sample import Sample, learn
from app.gallery.verdict import FALSE_ALARMS, Verdict
from app.inference.served_model import ServedModel
from app.storage.gallery_store import GalleryStore

SAMPLE = 2000
"""Images looked at, however many there are: a fraction of a second, and 4 bytes x dimension each."""
# Part of the gallery that has to change before it is looked at again.
_CHANGE = 0.05


@dataclass(frozen=True, slots=True)
class _State:
    model_id: str
    images: int
    generation: int

    def outdated(self, now: "_State") -> bool:
        bound = _CHANGE * self.images
        return (
            self.model_id != now.model_id
            or abs(now.images - self.images) > bound
            or now.generation - self.generation > bound
        )


class Calibrator:
    """Looks at a sample of the gallery, and again once a twentieth of the gallery has changed."""

    def __init__(self, store: GalleryStore, false_alarms: float = FALSE_ALARMS) -> None:
        """``false_alarms`` holds for searches that ask for no rate of their own."""
        self._store, self.false_alarms = store, false_alarms
        self._lock = threading.Lock()
        self._seen: _State | None = None
        self._sample = Sample()

    def sample(self, model: ServedModel) -> Sample:
        """Return what is known of distances between vectors of ``model``, which is loaded."""
        with self._lock:
            # Looked up before the sample is taken: what changes meanwhile counts as a change.
            now = _State(model.id, self._store.searchable(model.id), self._store.generation)
            if self._seen is None or self._seen.outdated(now):
                self._sample, self._seen = take_sample(self._store, model.id), now
            return self._sample


def take_sample(store: GalleryStore, model_id: str) -> Sample:
    """Look at up to ``SAMPLE`` images, those of them that the loaded model has vectors of."""
    records = store.sample(SAMPLE)
    known = store.vectors(model_id, [record.id for record in records])
    records = [record for record in records if record.id in known]
    if not records:
        return Sample()
    ids, labels = [record.id for record in records], [record.label for record in records]
    return learn(ids, labels, np.stack([known[image_id] for image_id in ids]))


def judge(
    sample: Sample,
    calibration: Calibration | None,
    images: int,
    false_alarms: float = FALSE_ALARMS,
    *,
    pair: bool = False,
) -> Verdict:
    """Return the verdict from what is known, on a search among ``images``, or on a ``pair``.

    Labels tell which images do not match: where enough images have one, the gallery speaks for
    itself, and distances are judged in the ``units`` of its images, those of a pair as they are.
    Elsewhere the model's validation images do, at the gallery's own scale where that is smaller; and
    where not even all of the gallery's pairs together lie as near, that is enough. Fewer than
    ``MIN_IMAGES`` count as so many: a tail says nothing of what is common among few.
    """
    images = max(images, MIN_IMAGES)
    scoring = calibration.scoring if calibration else None
    if sample.labelled:
        own = sample.labelled
        tail = own.pairs if pair else own.tail
        return Verdict(images, false_alarms, (tail,), own.scoring or scoring, "gallery")
    if calibration:
        tail = calibration.tail
        if sample.spread and sample.spread < calibration.spread:
            smaller = tail.distance * sample.spread / calibration.spread
            tail = tail.model_copy(update={"distance": smaller})
        bounds = (tail, sample.strangers) if sample.strangers else (tail,)
        return Verdict(images, false_alarms, bounds, scoring, "model")
    if sample.strangers:
        return Verdict(images, false_alarms, (sample.strangers,), None, "gallery")
    return Verdict(images, false_alarms)
