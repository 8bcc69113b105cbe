"""One training run, from a folder of images to a published model."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal, get_args

import keras

from app.bundle.model_store import Bundle
from gemello.progress import say
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.errors import DataError, NotShownBetter, WorkerDone
from trainer.fit import replicas
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.replicas import Replicas
from trainer.fit.training import fit
from trainer.preparation import Prepared, prepare
from trainer.publish.foundation import Foundation
from trainer.publish.frozen import Frozen
from trainer.publish.pretrained import Pretrained
from trainer.publish.publication import check_destination, publish

_INSTEAD = (
    "The adapted features are published instead; --resume --force publishes what was trained as well, "
    "without activating it."
)

Strategy = Literal["none", "mirrored", "multi_worker"]
STRATEGIES: tuple[Strategy, ...] = get_args(Strategy)


def train(
    data: Path,
    name: str,
    config: TrainConfig,
    store: Path,
    cache: Path,
    *,
    backbone: Bundle | None = None,
    resume: bool = False,
    force: bool = False,
    strategy: Strategy = "none",
) -> Bundle:
    """Train on ``data`` (class folders or a CSV), publish as the next version of ``name``.

    With a ``backbone`` of the model store a head alone is trained, on its features; ``config`` is then one of
    ``trainer.config.head_alone``. Decoded images and such features stay below ``cache`` for the next
    run, and so does this run's state after every epoch until it is published; ``resume`` continues from
    it. All figures are measured on the exported model by the serving code; what is not shown to be at
    least as good as without training needs ``force``, and without it gives way to the adapted features. Raises ``GemelloError``, and ``WorkerDone`` on all
    workers but the first of several.
    """
    devices = replicas.make(strategy)
    check_destination(store, name)
    keras.utils.set_random_seed(config.seed)
    with _precision(config):
        foundation = _foundation(config, backbone, cache)
        size, resize = foundation.input_size, foundation.preprocessing.resize
        prepared = prepare(data, config, cache, size, resize)
        if not force:
            _refuse_unmeasurable(prepared)
        train_images, validation = prepared.splits["train"], prepared.splits["validation"]
        checkpoint = _checkpoint(name, foundation, train_images, cache, writes=devices.chief)
        if not resume:
            checkpoint.clear()
        state = _saved(checkpoint, name) if resume else None
        _check_agreement(devices, state)
        with devices.strategy.scope():
            network = foundation.network()
        history = fit(
            network,
            train_images,
            validation,
            config,
            checkpoint=checkpoint,
            state=state,
            strategy=devices.strategy,
        )
        if not devices.chief:
            raise WorkerDone
        weights = network.embedder.get_weights()
        try:
            bundle = publish(foundation, weights, history, prepared, store, name, force=force)
        except NotShownBetter as refusal:
            say(f"{refusal} {_INSTEAD}")
            history.refuse(str(refusal))
            return publish(foundation, history.adapted, history, prepared, store, name)
        checkpoint.clear()
        return bundle


def _foundation(config: TrainConfig, backbone: Bundle | None, cache: Path) -> Foundation:
    return Frozen.of(backbone, config, cache) if backbone else Pretrained(config)


def _refuse_unmeasurable(prepared: Prepared) -> None:
    """Before the work rather than after it."""
    if not prepared.splits["validation"].records and not prepared.splits["test"].records:
        raise NotShownBetter(
            "There are too few classes to hold any out, so nothing would show whether training "
            "helps; --force trains all the same, and publishes without activating."
        )


@contextmanager
def _precision(config: TrainConfig) -> Iterator[None]:
    if config.optimizer.mixed_precision:
        keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        yield
    finally:
        keras.config.set_dtype_policy("float32")


def _checkpoint(
    name: str, foundation: Foundation, train: ImageCache, cache: Path, *, writes: bool
) -> Checkpoint:
    """Where this run's state lies: another backbone, configuration or other data is another run."""
    run = json.dumps([name, foundation.training, train.content], sort_keys=True)
    folder = cache / "runs" / hashlib.sha256(run.encode()).hexdigest()[:16]
    return Checkpoint(folder, writes=writes)


def _saved(checkpoint: Checkpoint, name: str) -> State | None:
    state = checkpoint.load()
    if state is None:
        say(
            f"There is no interrupted run of {name!r} with these images and settings; "
            "it starts from the beginning."
        )
    return state


def _check_agreement(devices: Replicas, state: State | None) -> None:
    epochs = len(state.values["epochs"]) if state else 0
    if not replicas.agree(devices.strategy, epochs):
        raise DataError(
            "The workers do not find the same state; --cache must name one folder that all share."
        )
