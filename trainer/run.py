"""One training run, from a folder of images to a published model."""

import hashlib
import json
from pathlib import Path
from typing import Any, Literal, get_args

import keras

from app.model_store import Bundle
from trainer.config import TrainConfig, flat
from trainer.data.cache import ImageCache
from trainer.errors import DataError, WorkerDone
from trainer.fit import replicas
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.training import History, fit
from trainer.network.embedder import build, published
from trainer.preparation import prepare
from trainer.progress import say
from trainer.publication import publish, refuse_early

Strategy = Literal["none", "mirrored", "multi_worker"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


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
    refuse_early(store, name)
    keras.utils.set_random_seed(config.seed)
    if config.optimizer.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        return _train(data, name, config, store, cache, resume, spread)
    finally:
        keras.config.set_dtype_policy("float32")


def _train(
    data: Path,
    name: str,
    config: TrainConfig,
    store: Path,
    cache: Path,
    resume: bool,
    spread: replicas.Replicas,
) -> Bundle:
    prepared = prepare(data, config, cache)
    splits = prepared.splits
    checkpoint = _checkpoint(name, config, splits["train"], cache, writes=spread.chief)
    if not resume:
        checkpoint.clear()
    state = _state(checkpoint, name) if resume else None
    if not replicas.agree(spread.strategy, len(state.facts["history"]["epochs"]) if state else 0):
        raise DataError(
            "The workers do not find the same state; --cache must name one folder that all share."
        )
    with spread.strategy.scope():
        built = build(config.network)
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
    bundle = publish(
        published(built.embedder, config.published_network),
        config,
        _history(history),
        prepared,
        store,
        name,
    )
    checkpoint.clear()
    return bundle


def _checkpoint(
    name: str, config: TrainConfig, train: ImageCache, cache: Path, *, writes: bool
) -> Checkpoint:
    """Where this run's state lies: another configuration or other data is another run."""

    def folder(values: dict[str, object]) -> Path:
        run = json.dumps([name, values, train.content], sort_keys=True)
        return cache / "runs" / hashlib.sha256(run.encode()).hexdigest()[:16]

    own, before = folder(config.model_dump()), folder(flat(config))
    # A run that version 0.1 began is finished where it began.
    return Checkpoint(before if before.exists() else own, writes=writes)


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
