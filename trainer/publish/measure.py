"""The figures of a bundle: retrieval and calibration, measured on the files that will be served.

The images are those that preparation decoded, at the published size and by the serving code: no
file is read or decoded again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from app.bundle.encoder import Encoder, Vectors
from app.bundle.manifest import Calibration, Evaluation
from gemello.progress import say, track
from trainer.data.cache import ImageCache
from trainer.evaluate.calibration import calibrate, calibration_error
from trainer.evaluate.comparison import Comparison, compare, p, points
from trainer.evaluate.embedding import embed_cache
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_cache, measure_vectors
from trainer.network.features import Advance


@dataclass(frozen=True, slots=True)
class Retrieval:
    """The published model on the test classes, and the best that its backbone does without labels."""

    trained: Measurement
    untrained: Measurement

    def evaluation(self) -> Evaluation:
        """Return the manifest's part on it."""
        figures, plain = self.trained.figures(), self.untrained.figures()
        return Evaluation(
            protocol=f"test classes held out of training; {figures['protocol']}",
            queries=figures["queries"],
            gallery=figures["gallery"],
            metrics={key: value for key, value in figures.items() if isinstance(value, float)},
            untrained={key: value for key, value in plain.items() if isinstance(value, float)},
        )

    def compared(self) -> Comparison:
        """Return both side by side."""
        return compare(self.untrained, self.trained, ("untrained", "trained"))


def measure_retrieval(
    encoder: Encoder, untrained: Callable[[ImageCache, Advance], Vectors], test: ImageCache
) -> Retrieval | None:
    """Return retrieval among classes that training never saw; None where there are none.

    ``untrained`` embeds without training; ``test`` holds the images at the size of ``encoder``.
    """
    if not test.records:
        return None
    with track("measuring", 2 * len(test.records)) as advance:
        after = measure_cache(encoder, test, advance)
        before = measure_vectors(untrained(test, advance), test)
    retrieval = Retrieval(after, before)
    for row in retrieval.compared().rows:
        if row.figure in ("recall@1", "map@r"):
            say(
                f"test classes: {row.figure} {row.second.value:.3f}, untrained {row.first.value:.3f} "
                f"({points(row.difference.value)} points, {p(row.difference)})"
            )
    return retrieval


def measure_calibration(
    encoder: Encoder, validation: ImageCache, retrieval: Retrieval | None, seed: int
) -> Calibration | None:
    """Return a calibration fitted on the validation classes, its error measured on the test classes.

    None where the validation classes are too few.
    """
    if not validation.records:
        say("No validation classes, so distances are not calibrated.")
        return None
    with track("calibrating", len(validation.records)) as advance:
        vectors = embed_cache(encoder, validation, advance)
    labels = np.array([record.label for record in validation.records], dtype=object)
    calibration = calibrate(vectors, labels, seed, say)
    if calibration is None or retrieval is None:
        return calibration
    test = retrieval.trained
    error = calibration_error(calibration, test.embeddings, test.labels, seed)
    if error is not None:
        say(f"calibration error on test classes: {error:.3f}")
    return calibration.model_copy(update={"calibration_error": error})
