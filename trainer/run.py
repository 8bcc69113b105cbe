"""One training run, from a folder of images to a published model."""

import hashlib
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

import keras

from app import model_store
from app.manifest import Manifest, Preprocessing, model_id
from app.model_store import Bundle
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache, at_most, without_single_images
from trainer.data.records import Split, divide, read_data
from trainer.data.scan import Scan, scan
from trainer.errors import DataError, WorkerDone
from trainer.export import export, round_to_half
from trainer.fit import replicas
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.training import History, fit
from trainer.network.backbones import provenance
from trainer.network.embedder import build, published
from trainer.progress import say, track
from trainer.proof import proved

Strategy = Literal["none", "mirrored", "multi_worker"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)
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
    if not replicas.agree(spread.strategy, len(state.facts["history"]["epochs"]) if state else 0):
        raise DataError(
            "The workers do not find the same state; --cache must name one folder that all share."
        )
    with spread.strategy.scope():
        built = build(config)
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
    embedder = published(built, config)
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
            backbone=provenance(config.backbone),
            training={"config": config.model_dump(), "history": _history(history)},
            data=_data(data, splits, found),
            files=files,
            model_id=model_id(files, config.published_size, Preprocessing()),
        )
        bundle = proved(Bundle(folder, manifest), splits, found, config)
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
    if split == "train" or len(kept.records) <= config.held_out_images:
        return kept
    drawn = at_most(kept, config.held_out_images, config.seed)
    say(
        f"{len(drawn.records):,} of {len(kept.records):,} {split} images are used, drawn at random "
        "(held_out_images)."
    )
    return drawn


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


def _warn(history: History) -> None:
    if history.untrained is None:
        say("No validation class has two images, so the last weights were kept unseen.")
    elif history.kept is not None and history.kept < history.untrained:
        say(
            f"The trained network (validation recall@1 {history.kept:.4f}) is worse than the "
            f"pretrained features ({history.untrained:.4f}); more classes, a larger margin or "
            "more epochs may help. It is published all the same."
        )


def _history(history: History) -> dict[str, Any]:
    return {
        "untrained_validation_recall@1": history.untrained,
        "best_validation_recall@1": history.best,
        "kept_validation_recall@1": history.kept,
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
