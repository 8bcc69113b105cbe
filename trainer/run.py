"""One training run, from a folder of images to a published model."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np

from app import model_store
from app.manifest import Calibration, Evaluation, Manifest, Preprocessing, model_id
from app.model_store import Bundle
from app.runtimes import load_encoder
from trainer import network, replicas
from trainer.cache import ImageCache, without_single_images
from trainer.calibration import calibrate, calibration_error
from trainer.checkpoint import Checkpoint, State
from trainer.config import TrainConfig
from trainer.data import Record, Split, divide, read_data
from trainer.embedding import embed_files
from trainer.errors import DataError, WorkerDone
from trainer.evaluate import measure_records
from trainer.export import export, round_to_half
from trainer.features import Floats, predict, principal_axes
from trainer.fit import History, fit
from trainer.keras_encoder import KerasEncoder
from trainer.measurement import Measurement
from trainer.progress import say, track
from trainer.published import published
from trainer.report import Report, write_pngs, write_report
from trainer.scan import Scan, scan

Strategy = Literal["none", "mirrored", "multi_worker"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
# Images whose pretrained features show the directions to keep; more change them little.
_AXES_FROM = 4_000
# Files that are named on the screen; the report has them all.
_NAMED = 20


def train(
    data: Path,
    name: str,
    config: TrainConfig,
    store: Path,
    cache: Path,
    *,
    resume: bool = False,
    strategy: Strategy = "none",
) -> Bundle:
    """Train on ``data`` (class folders or a CSV), publish as the next version of ``name``.

    Decoded images are kept below ``cache`` for the next run, and so is this run's state after
    every epoch until it is published; ``resume`` goes on from it. What is reported was measured
    on the exported model by the serving code. Raises ``TrainerError`` or ``ParameterInvalid``, and
    ``WorkerDone`` on all workers but the first of several.
    """
    spread = replicas.make(strategy)
    _refuse_early(store, name)
    keras.utils.set_random_seed(config.seed)
    if config.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return _train(data, name, config, store, cache, resume, spread)
    finally:
        keras.config.set_dtype_policy("float32")


def _refuse_early(store: Path, name: str) -> None:
    """A name or a store that cannot be published to is told before the work, not after it."""
    try:
        with model_store.staging(store, name):
            pass
    except OSError as exc:
        raise DataError(f"Models cannot be written to {store} ({exc.strerror}).") from exc


def _train(
    data: Path,
    name: str,
    config: TrainConfig,
    store: Path,
    cache: Path,
    resume: bool,
    spread: replicas.Replicas,
) -> Bundle:
    found = _scanned(data, config, cache)
    splits = {split: _usable(c, split, config) for split, c in found.caches.items()}
    _refuse_too_few(splits["train"])
    checkpoint = _checkpoint(name, config, splits["train"], cache, writes=spread.chief)
    if not resume:
        checkpoint.clear()
    state = _state(checkpoint, name) if resume else None
    with spread.strategy.scope():
        built = network.build(config)
    history = fit(
        built,
        splits["train"],
        splits["validation"],
        config,
        checkpoint=checkpoint,
        state=state,
        strategy=spread.strategy,
    )
    if not spread.chief:
        raise WorkerDone
    _warn(history)
    embedder = published(built, config, _axes(splits["train"], config))
    round_to_half(embedder)
    with model_store.staging(store, name) as folder:
        export(embedder, folder)
        files = model_store.hash_files(folder)
        manifest = Manifest(
            name=name,
            version=model_store.next_version(store, name),
            created=datetime.now(UTC).replace(microsecond=0),
            dimension=config.published_dimension,
            input_size=config.published_size,
            backbone=network.provenance(config.backbone),
            training={"config": config.model_dump(), "history": _history(history)},
            data=_data(data, splits, found),
            files=files,
            model_id=model_id(files, config.published_size, Preprocessing()),
        )
        bundle = _proved(Bundle(folder, manifest), splits, found, config)
        model_store.write_manifest(folder, bundle.manifest)
        bundle = model_store.publish(store, folder)
    checkpoint.clear()
    return bundle


def _scanned(data: Path, config: TrainConfig, cache: Path) -> Scan:
    records = divide(read_data(data), config.validation_fraction, config.test_fraction, config.seed)
    sizes: dict[Split, int] = {
        "train": config.cache_size,
        "validation": config.input_size,
        "test": config.published_size,
    }
    with track("reading images", len(records)) as advance:
        found = scan(records, sizes, cache, advance)
    for item in found.left_out[:_NAMED]:
        say(f"left out {item.path}: {item.reason}")
    if len(found.left_out) > _NAMED:
        say(f"… and {len(found.left_out) - _NAMED} more; the report names them all.")
    for sentence in found.summary():
        say(sentence)
    return found


def _usable(cache: ImageCache, split: Split, config: TrainConfig) -> ImageCache:
    if split == "train" and config.single_images:
        return cache
    kept, single = without_single_images(cache)
    if single:
        say(f"{single} {split} classes have one image only and are left out: they form no pair.")
    return kept


def _refuse_too_few(train: ImageCache) -> None:
    counts = Counter(record.label for record in train.records)
    if sum(count > 1 for count in counts.values()) < 2:
        raise DataError(
            "Fewer than two classes are left to train on that have two images or more, so there is "
            "nothing to tell apart."
        )


def _checkpoint(
    name: str, config: TrainConfig, train: ImageCache, cache: Path, *, writes: bool
) -> Checkpoint:
    """Where this run's state lies: another configuration or other data is another run."""
    facts = json.dumps([name, config.model_dump(), train.content], sort_keys=True)
    run = hashlib.sha256(facts.encode()).hexdigest()[:16]
    return Checkpoint(cache / "runs" / run, writes=writes)


def _state(checkpoint: Checkpoint, name: str) -> State | None:
    state = checkpoint.load()
    if state is None:
        say(
            f"There is no interrupted run of {name!r} with these images and settings; "
            "it starts from the beginning."
        )
    return state


def _axes(train: ImageCache, config: TrainConfig) -> Floats | None:
    """Principal axes of the pretrained features of some training images, if they are kept."""
    if not config.keep:
        return None
    rng = np.random.default_rng(config.seed)
    places = np.sort(rng.permutation(len(train.records))[:_AXES_FROM])
    backbone = network.untrained(
        config.backbone, config.published_size, config.weights, config.pooling
    )
    features = predict(backbone, train.images.subset(places))
    return principal_axes(features, config.keep_dimension, rng)


def _warn(history: History) -> None:
    if history.untrained is None:
        say("No validation class has two images, so the last weights were kept unseen.")
    elif history.best is not None and history.best < history.untrained:
        say(
            f"The trained network (validation recall@1 {history.best:.4f}) is worse than the "
            f"pretrained features ({history.untrained:.4f}); more classes, a larger margin or "
            "more epochs may help. It is published all the same."
        )


def _proved(
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
    baseline = network.untrained(
        config.backbone, config.published_size, config.weights, config.pooling
    )
    with track("measuring", 2 * len(test)) as advance:
        after = measure_records(load_encoder(bundle), test, advance)
        before = measure_records(KerasEncoder(baseline), test, advance)
    recall, untrained = (float(m.hits(1).mean()) for m in (after, before))
    say(f"test classes: recall@1 {recall:.4f}, untrained {untrained:.4f}")
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
    figures, untrained = after.figures(), before.figures()
    return Evaluation(
        protocol=f"test classes held out of training; {figures['protocol']}",
        queries=figures["queries"],
        gallery=figures["gallery"],
        metrics={key: value for key, value in figures.items() if isinstance(value, float)},
        untrained={key: value for key, value in untrained.items() if isinstance(value, float)},
    )


def _report(bundle: Bundle, after: Measurement, before: Measurement | None, found: Scan) -> None:
    manifest = bundle.manifest
    history = manifest.training["history"]
    report = Report(
        title=f"{bundle.title}, trained on {manifest.data['source']}",
        after=after,
        before=before,
        history=history["epochs"],
        untrained_recall=history["untrained_validation_recall@1"],
        calibration=manifest.calibration,
        data={
            **{f"{what} of each split": manifest.data[what] for what in ("images", "classes")},
            "bad": {i.path.name: i.reason for i in found.left_out if i.kind == "unreadable"},
            "duplicates": [
                f"{i.path.name}: {i.reason}" for i in found.left_out if i.kind != "unreadable"
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


def _history(history: History) -> dict[str, Any]:
    return {
        "untrained_validation_recall@1": history.untrained,
        "best_validation_recall@1": history.best,
        "epochs": history.as_rows(),
    }


def _data(data: Path, splits: dict[Split, ImageCache], found: Scan) -> dict[str, Any]:
    """What was trained on; the folder by its own name alone, which is all that means anything elsewhere."""
    return {
        "source": data.resolve().name,
        "content_sha256": splits["train"].content,
        "images": {split: len(cache.records) for split, cache in splits.items()},
        "classes": {
            split: len({record.label for record in cache.records})
            for split, cache in splits.items()
        },
        **{str(kind): count for kind, count in found.counts.items()},
    }
