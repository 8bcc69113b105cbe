"""Judges the rows of a ranking."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from app.gallery.ranking import Row
from app.gallery.sample import Sample
from app.gallery.verdict import Verdict
from app.storage.gallery_store import GalleryStore


@dataclass(frozen=True, slots=True)
class Judge:
    """The verdict on a search with a loaded model, and the sample of the gallery that it rests on."""

    store: GalleryStore
    model_id: str
    sample: Sample
    verdict: Verdict

    def distances(self, rows: Sequence[Row]) -> list[float]:
        """Return the distance of each row as the verdict takes it: in units of the image's margin."""
        labelled = self.sample.labelled
        if labelled is None:
            return [row.distance for row in rows]
        margins = {row.id: labelled.known.get(row.id) for row in rows}
        unknown = [image_id for image_id, margin in margins.items() if margin is None]
        records = self.store.get(unknown) if unknown else {}
        vectors = self.store.vectors(self.model_id, unknown) if unknown else {}
        there = [image_id for image_id in unknown if image_id in records and image_id in vectors]
        if there:
            labels = [records[image_id].label for image_id in there]
            found = labelled.margins(labels, np.stack([vectors[image_id] for image_id in there]))
            margins |= zip(there, found.tolist(), strict=True)
        # An image that was removed a moment ago is in no answer.
        return [row.distance / (margins[row.id] or labelled.widest) for row in rows]

    def likely(self, least: float) -> Callable[[list[Row]], list[Row]]:
        """Return what keeps those of some rows that are a match with a probability of ``least``."""

        def keep(rows: list[Row]) -> list[Row]:
            return [
                row
                for row, distance in zip(rows, self.distances(rows), strict=True)
                if (self.verdict.score(distance) or 0) >= least
            ]

        return keep

    def likely_from(self, least: float) -> Callable[[float], bool]:
        """Return what says whether a row at some distance may be a match with that probability."""
        widest = self.sample.labelled.widest if self.sample.labelled else 1.0
        return lambda distance: (self.verdict.score(distance / widest) or 0) >= least
