"""One training run, from a folder of images to a published model."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import keras

from app import model_store
from app.manifest import Evaluation, Manifest, Preprocessing, model_id
from app.model_store import Bundle
from app.runtimes import load_encoder
from trainer import network
from trainer.cache import ImageCache, open_cache
from trainer.config import TrainConfig
from trainer.data import SPLITS, Record, Split, divide, of_split, read_data, without_single_images
from trainer.errors import DataError
from trainer.evaluate import evaluate_records
from trainer.export import export, round_to_half
from trainer.fit import History, fit
from trainer.keras_encoder import KerasEncoder
from trainer.progress import say, track


def train(data: Path, name: str, config: TrainConfig, store: Path, cache: Path) -> Bundle:
    """Train on ``data`` (class folders or a CSV), publish as the next version of ``name``.

    Decoded images are kept below ``cache`` for the next run. What is reported was measured on the
    exported model by the serving code. Raises ``TrainerError`` or ``ParameterInvalid``.
    """
    keras.utils.set_random_seed(config.seed)
    with model_store.staging(store, name) as folder:
        records = divide(
            read_data(data), config.validation_fraction, config.test_fraction, config.seed
        )
        splits = {split: _usable(of_split(records, split), split) for split in SPLITS}
        if not splits["train"]:
            raise DataError("No class has two images or more, so there is nothing to learn from.")
        train_cache = _cached(splits["train"], config.cache_size, cache, "reading training images")
        val_cache = _cached(splits["validation"], config.input_size, cache, "reading validation")
        built = network.build(config)
        history = fit(built, train_cache, val_cache, config)
        _warn(history)
        round_to_half(built.embedder)
        export(built.embedder, folder)
        files = model_store.hash_files(folder)
        manifest = Manifest(
            name=name,
            version=model_store.next_version(store, name),
            created=datetime.now(UTC).replace(microsecond=0),
            dimension=config.dimension,
            input_size=config.input_size,
            backbone=network.provenance(config.backbone),
            training={"config": config.model_dump(), "history": _history(history)},
            data=_data(data, splits, train_cache, val_cache),
            files=files,
            model_id=model_id(files, config.input_size, Preprocessing()),
        )
        evaluated = manifest.model_copy(
            update={"evaluation": _evaluate(Bundle(folder, manifest), splits["test"], config)}
        )
        model_store.write_manifest(folder, evaluated)
        return model_store.publish(store, folder)


def _usable(records: list[Record], split: Split) -> list[Record]:
    kept, single = without_single_images(records)
    if single:
        say(f"{single} {split} classes have one image only and are left out: they form no pair.")
    return kept


def _cached(records: list[Record], size: int, folder: Path, what: str) -> ImageCache:
    with track(what, len(records)) as advance:
        cached = open_cache(records, size, folder, advance)
    _name_bad(cached.bad)
    return cached


def _name_bad(bad: Mapping[str, str]) -> None:
    for path, reason in bad.items():
        say(f"left out {path}: {reason}")


def _warn(history: History) -> None:
    if history.untrained is None:
        say("No validation class has two images, so the last weights were kept unseen.")
    elif history.best is not None and history.best < history.untrained:
        say(
            f"The trained network (validation recall@1 {history.best:.4f}) is worse than the "
            f"pretrained features ({history.untrained:.4f}); more classes, a larger margin or "
            "more epochs may help. It is published all the same."
        )


def _evaluate(bundle: Bundle, test: list[Record], config: TrainConfig) -> Evaluation | None:
    """Retrieval among classes that training never saw, beside the pretrained features alone."""
    if not test:
        say("No test classes, so the published model was not measured.")
        return None
    baseline = network.untrained(config.backbone, config.input_size, config.weights, config.pooling)
    with track("measuring", 2 * len(test)) as advance:
        figures = evaluate_records(load_encoder(bundle), test, advance)
        untrained = evaluate_records(KerasEncoder(baseline), test, advance)
    _name_bad(figures["bad"])
    metrics = {key: value for key, value in figures.items() if isinstance(value, float)}
    say(f"test classes: recall@1 {metrics['recall@1']:.4f}, untrained {untrained['recall@1']:.4f}")
    return Evaluation(
        protocol=f"test classes held out of training; {figures['protocol']}",
        queries=figures["queries"],
        gallery=figures["gallery"],
        metrics=metrics,
        untrained={key: value for key, value in untrained.items() if isinstance(value, float)},
    )


def _history(history: History) -> dict[str, Any]:
    return {
        "untrained_validation_recall@1": history.untrained,
        "best_validation_recall@1": history.best,
        "epochs": [vars(epoch) for epoch in history.epochs],
    }


def _data(
    data: Path, splits: dict[Split, list[Record]], train_cache: ImageCache, val_cache: ImageCache
) -> dict[str, Any]:
    """What was trained on; the folder by its own name alone, which is all that means anything elsewhere."""
    return {
        "source": data.resolve().name,
        "content_sha256": train_cache.content,
        "images": {split: len(records) for split, records in splits.items()},
        "classes": {split: len({r.label for r in records}) for split, records in splits.items()},
        "unreadable": len(train_cache.bad) + len(val_cache.bad),
    }
