"""What distances mean in this gallery, learnt from a sample of its images."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.bundle.calibration import MIN_IMAGES, fit_tail, spread
from app.bundle.encoder import Vectors
from app.bundle.manifest import Calibration
from app.bundle.tail import Tail
from app.gallery.verdict import FALSE_ALARMS, Source, Verdict
from app.inference.served_model import ServedModel
from app.storage.gallery_store import GalleryStore

SAMPLE = 2000
"""Images looked at, however many there are: a fraction of a second, and 4 bytes x dimension each."""
MIN_LABELS = 5
# Part of the gallery that has to change before it is looked at again.
_CHANGE = 0.05


@dataclass(frozen=True, slots=True)
class Sample:
    """What was learnt of a gallery.

    ``labelled`` is the tail of distances between images with different labels, ``strangers`` that
    of all distances, as if no two images matched: never too few non-matches. ``spread`` is as the
    manifest has it. None where there are too few images.
    """

    labelled: Tail | None = None
    strangers: Tail | None = None
    spread: float | None = None


class Calibrator:
    """Keeps what was learnt of the gallery, and looks again once a twentieth of it has changed."""

    def __init__(self, store: GalleryStore, false_alarms: float = FALSE_ALARMS) -> None:
        """``false_alarms`` holds for searches that ask for no rate of their own."""
        self._store, self._false_alarms = store, false_alarms
        self._lock = threading.Lock()
        self._seen: tuple[str, int, int] | None = None
        self._sample = Sample()

    def verdict(
        self, model: ServedModel, images: int, false_alarms: float | None = None
    ) -> Verdict:
        """Return what judges a search of ``model`` among ``images`` of the gallery's images."""
        return judge(
            self._sampled(model),
            model.manifest.calibration,
            images,
            false_alarms or self._false_alarms,
        )

    def _sampled(self, model: ServedModel) -> Sample:
        with self._lock:
            # Looked up before the sample is taken: what changes meanwhile counts as a change.
            state = (model.id, self._store.searchable(model.id), self._store.generation)
            if self._seen is None or _changed(self._seen, state):
                self._sample = take_sample(self._store, model.id)
                self._seen = state
            return self._sample


def take_sample(store: GalleryStore, model_id: str) -> Sample:
    """Look at up to ``SAMPLE`` images, those of them that the loaded model has vectors of."""
    records = store.sample(SAMPLE)
    known = store.vectors(model_id, [record.id for record in records])
    records = [record for record in records if record.id in known]
    if not records:
        return Sample()
    vectors = np.stack([known[record.id] for record in records])
    return learnt(vectors, [record.label for record in records])


def learnt(vectors: Vectors, labels: Sequence[str | None]) -> Sample:
    """Return what embeddings float32 [N, D] in random order say, with their labels [N] where known."""
    if len(vectors) < MIN_IMAGES:
        return Sample()
    rows = [row for row, label in enumerate(labels) if label is not None]
    named = [label for label in labels if label is not None]
    return Sample(
        labelled=fit_tail(vectors[rows], named) if len(set(named)) >= MIN_LABELS else None,
        strangers=fit_tail(vectors, range(len(vectors))),
        spread=spread(vectors),
    )


def judge(
    sample: Sample,
    calibration: Calibration | None,
    images: int,
    false_alarms: float = FALSE_ALARMS,
) -> Verdict:
    """Return the verdict from what is known.

    Labels tell which images do not match: where enough images have one, the gallery speaks for
    itself. Elsewhere the model's validation images do, at the gallery's own scale where that is
    smaller; and where not even all of the gallery's pairs together lie as near, that is enough.
    """
    source: Source | None = None
    bounds: list[tuple[Tail, float]] = []
    if sample.labelled:
        source, bounds = "gallery", [(sample.labelled, 1.0)]
    elif calibration:
        source, factor = "model", 1.0
        if sample.spread:
            factor = max(1.0, calibration.spread / sample.spread)
        bounds = [(calibration.tail, factor)]
        if sample.strangers:
            bounds.append((sample.strangers, 1.0))
    elif sample.strangers:
        source, bounds = "gallery", [(sample.strangers, 1.0)]
    return Verdict(images, false_alarms, tuple(bounds), calibration, source)


def _changed(seen: tuple[str, int, int], now: tuple[str, int, int]) -> bool:
    model_id, images, generation = seen
    if model_id != now[0]:
        return True
    bound = _CHANGE * images
    return abs(now[1] - images) > bound or now[2] - generation > bound
