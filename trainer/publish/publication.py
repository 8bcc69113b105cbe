"""A trained network → the next version of a model, in the store."""

from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from app.bundle import model_store
from app.bundle.manifest import Calibration, Manifest, model_id
from app.bundle.model_store import Bundle
from app.bundle.runtimes import load_encoder
from trainer.errors import DataError, NotShownBetter
from trainer.fit.checkpoint import Weights
from trainer.fit.history import History
from trainer.fit.validation import clearly_worse
from trainer.preparation import Prepared
from trainer.publish.bundle_report import write_bundle_report
from trainer.publish.foundation import Foundation
from trainer.publish.measure import Retrieval, measure_calibration, measure_retrieval


def check_destination(store: Path, name: str) -> None:
    """Refuse a name or a store that cannot be published to, before the work rather than after it.

    Raises ``ParameterInvalid`` or ``DataError``.
    """
    try:
        with model_store.staging(store, name):
            pass
    except OSError as exc:
        raise DataError(f"Models cannot be written to {store} ({exc.strerror}).") from exc


def publish(
    foundation: Foundation,
    weights: Weights,
    history: History,
    data: Prepared,
    store: Path,
    name: str,
    *,
    force: bool = False,
) -> Bundle:
    """Publish ``foundation`` with the trained ``weights`` as the next version of ``name``, and activate it.

    Figures, calibration and report are those of the exported files, measured by the serving code.
    What is clearly worse on the test classes than ``history.adapted``, or was measured on no class, is
    published with ``force`` alone, and not activated; without it nothing is, and ``NotShownBetter`` raised.
    """
    size, preprocessing = foundation.input_size, foundation.preprocessing
    with model_store.staging(store, name) as folder:
        foundation.export(weights, folder)
        files = model_store.hash_files(folder)
        manifest = Manifest(
            name=name,
            version=model_store.next_version(store, name),
            created=datetime.now(UTC).replace(microsecond=0),
            dimension=foundation.config.network.dimension,
            input_size=size,
            preprocessing=preprocessing,
            backbone=foundation.provenance,
            training={**foundation.training, "history": history.as_manifest()},
            data=data.as_manifest(),
            files=files,
            model_id=model_id(files, size, preprocessing),
        )
        bundle = Bundle(folder, manifest)
        encoder = load_encoder(bundle)
        untrained = partial(foundation.embed, history.adapted)
        retrieval = measure_retrieval(encoder, untrained, data.splits["test"])
        problem = _problem(retrieval, history)
        if problem and not force:
            raise NotShownBetter(problem)
        calibration = measure_calibration(
            encoder, data.splits["validation"], retrieval, foundation.config.seed
        )
        measured = _with_figures(bundle, calibration, retrieval, data)
        model_store.write_manifest(folder, measured.manifest)
        return model_store.publish(store, folder, as_default=problem is None)


def _problem(retrieval: Retrieval | None, history: History) -> str | None:
    """Why a model should not serve by itself; None where nothing speaks against it."""
    if retrieval is None:
        measured = history.untrained is not None
        return (
            None if measured else "The model was measured on no class that it was not trained on."
        )
    before, after = retrieval.untrained, retrieval.trained
    classes = np.unique(after.labels.astype(str), return_inverse=True)[1].astype(np.int64)
    figures = after.per_query()
    worse = [
        f"{figure} {figures[figure].mean():.3f} < {values.mean():.3f}"
        for figure, values in before.per_query().items()
        if figure in ("recall@1", "map@r") and clearly_worse(figures[figure], values, classes)
    ]
    if not worse or history.published == "adapted":
        return None
    return f"On the test classes the model is worse than without training ({', '.join(worse)})."


def _with_figures(
    bundle: Bundle, calibration: Calibration | None, retrieval: Retrieval | None, data: Prepared
) -> Bundle:
    figures = {
        "calibration": calibration,
        "evaluation": retrieval.evaluation() if retrieval else None,
    }
    measured = Bundle(bundle.path, bundle.manifest.model_copy(update=figures))
    if retrieval is None:
        return measured
    write_bundle_report(measured, retrieval, data.scan, data.splits["test"])
    files = model_store.hash_files(bundle.path)
    return Bundle(bundle.path, measured.manifest.model_copy(update={"files": files}))
