"""What a bundle is worth: measured, calibrated and reported on the files that will be served."""

from collections.abc import Sequence

import numpy as np

from app import model_store
from app.manifest import Calibration, Evaluation
from app.model_store import Bundle
from app.runtimes import load_encoder
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.records import Record, Split
from trainer.data.scan import Scan
from trainer.evaluate.calibration import calibrate, calibration_error
from trainer.evaluate.embedding import embed_files
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_records
from trainer.network.embedder import untrained
from trainer.progress import say, track
from trainer.report import Report, write_pngs, write_report
from trainer.report.text import common_folder, shown


def proved(
    bundle: Bundle, splits: dict[Split, ImageCache], found: Scan, config: TrainConfig
) -> Bundle:
    """With calibration, evaluation and report: all measured on the files that will be served."""
    after, before = _measured(bundle, splits["test"].records, config)
    calibration = _calibrated(bundle, splits["validation"].records, after, config.seed)
    evaluation = _evaluation(after, before) if after and before else None
    manifest = bundle.manifest.model_copy(
        update={"calibration": calibration, "evaluation": evaluation}
    )
    if after:
        _report(Bundle(bundle.path, manifest), after, before, found)
        files = model_store.hash_files(bundle.path)
        manifest = manifest.model_copy(update={"files": files})
    return Bundle(bundle.path, manifest)


def _measured(
    bundle: Bundle, test: Sequence[Record], config: TrainConfig
) -> tuple[Measurement | None, Measurement | None]:
    """Retrieval among classes that training never saw, and that of the pretrained features."""
    if not test:
        say("No test classes, so the published model was not measured.")
        return None, None
    network = config.published_network
    baseline = untrained(network.backbone, network.input_size, network.weights)
    with track("measuring", 2 * len(test)) as advance:
        after = measure_records(load_encoder(bundle), test, advance)
        before = measure_records(KerasEncoder(baseline), test, advance)
    trained, plain = (float(m.hits(1).mean()) for m in (after, before))
    say(f"test classes: recall@1 {trained:.4f}, untrained {plain:.4f}")
    return after, before


def _calibrated(
    bundle: Bundle, validation: Sequence[Record], test: Measurement | None, seed: int
) -> Calibration | None:
    """Fitted on validation classes, its error measured on test classes."""
    if not validation:
        say("No validation classes, so distances are not calibrated.")
        return None
    with track("calibrating", len(validation)) as advance:
        embedded = embed_files(load_encoder(bundle), [r.path for r in validation], advance)
    label_of = {record.path: record.label for record in validation}
    labels = np.array([label_of[path] for path in embedded.paths], dtype=object)
    calibration = calibrate(embedded.vectors, labels, seed, say)
    if calibration is None or test is None:
        return calibration
    error = calibration_error(calibration, test.embeddings, test.labels, seed)
    if error is not None:
        say(f"calibration error on test classes: {error:.3f}")
    return calibration.model_copy(update={"calibration_error": error})


def _evaluation(after: Measurement, before: Measurement) -> Evaluation:
    figures, plain = after.figures(), before.figures()
    return Evaluation(
        protocol=f"test classes held out of training; {figures['protocol']}",
        queries=figures["queries"],
        gallery=figures["gallery"],
        metrics={key: value for key, value in figures.items() if isinstance(value, float)},
        untrained={key: value for key, value in plain.items() if isinstance(value, float)},
    )


def _report(bundle: Bundle, after: Measurement, before: Measurement | None, found: Scan) -> None:
    manifest = bundle.manifest
    history = manifest.training["history"]
    records = [record for cache in found.caches.values() for record in cache.records]
    root = common_folder([*(r.path for r in records), *(i.path for i in found.left_out)])
    left_out = [(i.kind, shown(i.path, root), shown(i.reason, root)) for i in found.left_out]
    report = Report(
        title=f"{bundle.title}, trained on {manifest.data['source']}",
        after=after,
        before=before,
        history=history["epochs"],
        untrained_recall=history["untrained_validation_recall@1"],
        calibration=manifest.calibration,
        data={
            **{f"{what} of each split": manifest.data[what] for what in ("images", "classes")},
            "bad": {path: reason for kind, path, reason in left_out if kind == "unreadable"},
            "duplicates": [
                f"{p}: {reason}" for kind, p, reason in left_out if kind != "unreadable"
            ],
        },
        config=manifest.training["config"],
        model={
            "name": manifest.name,
            "version": manifest.version,
            "backbone": manifest.backbone.name,
            "dimension": manifest.dimension,
            "input_size": manifest.input_size,
        },
    )
    say("writing the report")
    folder = bundle.path / "report"
    write_pngs(folder, report)
    write_report(folder / "index.html", report)
