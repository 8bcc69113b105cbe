"""What a sample of a gallery's images says of its distances."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.bundle.calibration import MIN_IMAGES, fit_tail, spread
from app.bundle.encoder import Vectors
from app.bundle.margins import Codes, Floats, codes_of, margins, margins_to
from app.bundle.scoring import Scoring
from app.bundle.tail import Tail
from app.gallery.scoring import gallery_scoring

MIN_LABELS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Images whose labels say which of them do not match.

    ``tail`` is that of distances in units of the margin of the image that is found, ``pairs`` that
    of plain distances, and ``scoring`` says how probable a match is, None where that is too uncertain.
    ``vectors`` float32 [N, D] and ``classes`` int64 [N] are the images, ``names``
    the numbers of their labels, and ``known`` their margins by id.
    """

    tail: Tail
    pairs: Tail
    scoring: Scoring | None
    vectors: Vectors
    classes: Codes
    names: Mapping[str, int]
    known: Mapping[str, float]
    widest: float

    def margins(self, labels: Sequence[str | None], vectors: Vectors) -> Floats:
        """Return the margins among the sample of other images, given by label and embedding [N, D].

        Float64 [N]; without a label an image has nothing that it is known to match.
        """
        classes = [self.names.get(label, -1) if label is not None else -1 for label in labels]
        among = margins_to(vectors, classes, self.vectors, self.classes)
        return np.minimum(among, self.widest)


@dataclass(frozen=True, slots=True)
class Sample:
    """What was learnt of a gallery.

    ``strangers`` is the tail of all distances, as if no two images matched: never too few
    non-matches. ``spread`` is as the manifest has it. None where there are too few images.
    """

    labelled: Labelled | None = None
    strangers: Tail | None = None
    spread: float | None = None


def learn(ids: Sequence[str], labels: Sequence[str | None], vectors: Vectors) -> Sample:
    """Return what images in random order say: their embeddings float32 [N, D], and labels if known."""
    if len(vectors) < MIN_IMAGES:
        return Sample()
    return Sample(
        labelled=_labelled(ids, labels, vectors),
        strangers=fit_tail(vectors, np.arange(len(vectors))),
        spread=spread(vectors),
    )


def _labelled(
    ids: Sequence[str], labels: Sequence[str | None], vectors: Vectors
) -> Labelled | None:
    rows = [row for row, label in enumerate(labels) if label is not None]
    named = [label for label in labels if label is not None]
    names = {label: code for code, label in enumerate(dict.fromkeys(named))}
    if len(names) < MIN_LABELS:
        return None
    some, classes = vectors[rows], codes_of(named)
    room = margins(some, classes)
    tail, pairs = fit_tail(some, classes, room), fit_tail(some, classes)
    if tail is None or pairs is None:
        return None
    known = dict(zip((ids[row] for row in rows), room.nearest.tolist(), strict=True))
    scoring = gallery_scoring(some, classes, room, tail)
    return Labelled(tail, pairs, scoring, some, classes, names, known, float(room.nearest.max()))
