"""Training: heads on frozen features, the fine-tuned backbone, and heads on its features."""

import numpy as np
import tensorflow as tf

from gemello.progress import say, track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.errors import TrainingFailed
from trainer.fit import ladder
from trainer.fit.checkpoint import Checkpoint, State, Weights
from trainer.fit.fine_tuning import fine_tune
from trainer.fit.heads import fit_head, fit_heads
from trainer.fit.history import History, Recorder
from trainer.fit.ladder import Rung
from trainer.fit.task import Task
from trainer.fit.validation import Validation
from trainer.losses.objective import make_objective
from trainer.network.embedder import Network
from trainer.network.features import Floats

__all__ = ["History", "fit"]

_ONE_CLASS = (
    "Only one class is held out to validate, which cannot show whether training helps: nothing is "
    "fine-tuned. With ten classes or more there are two."
)


def fit(
    network: Network,
    train: ImageCache,
    validation: ImageCache,
    config: TrainConfig,
    *,
    checkpoint: Checkpoint | None = None,
    state: State | None = None,
    strategy: tf.distribute.Strategy | None = None,
) -> History:
    """Train ``network`` in place, and leave the weights to publish in it (``ladder.choose``).

    Both caches hold images at ``config.network.input_size``. ``checkpoint`` takes the state after
    the heads are fitted and after every epoch; a ``state`` that it loaded is continued. ``network`` is
    pretrained, and built inside the scope of ``strategy``. Fine-tuning that fails ends early, and what
    came before it stays. Raises ``DataError``.
    """
    strategy = strategy or tf.distribute.get_strategy()
    labels = np.array(numbered(train.records), np.int32)
    with strategy.scope():
        objective = make_objective(config.loss, config.network.dimension, seed=config.seed)
    task = Task(network, train, labels, config, strategy, objective)
    recorder = Recorder(network.embedder, Validation(validation), config, checkpoint)
    pretrained: Weights = network.backbone.get_weights()
    held_out = _held_out(network, validation)
    if state is None:
        _fit_heads(task, recorder, held_out)
    else:
        recorder.restore(state)
        objective.set_weights(state.arrays["objective"])
    rungs = [
        _rung(name, task, recorder, pretrained, recorder.heads[name], held_out)
        for name in (ladder.PRETRAINED, ladder.ADAPTED, ladder.HEAD)
    ]
    if config.epochs and recorder.validation.classes == 1:
        say(_ONE_CLASS)
    elif config.epochs:
        rungs += _fine_tuned(task, recorder, state, pretrained, validation)
    chosen = ladder.choose(rungs)
    ladder.show(rungs, chosen)
    recorder.history.adapted = rungs[1].weights
    recorder.history.ladder = ladder.as_manifest(rungs, chosen)
    network.embedder.set_weights(chosen.weights)
    return recorder.history


def _fit_heads(task: Task, recorder: Recorder, held_out: Floats) -> None:
    """The heads on frozen features; fine-tuning begins with that which the labels made."""
    known, network = task.head_features("pretrained features"), task.network
    recorder.heads = fit_heads(network, known)
    network.head.set_weights(recorder.heads[ladder.ADAPTED])
    recorder.begin(
        np.asarray(network.top(held_out if len(held_out) else known.vectors), np.float32)
    )
    network.head.set_weights(recorder.heads[ladder.HEAD])
    recorder.save({}, objective=task.objective.get_weights())


def _held_out(network: Network, validation: ImageCache) -> Floats:
    with track("validation features", len(validation.records)) as advance:
        features: Floats = network.features.rows(validation, advance)[:]
    return features


def _fine_tuned(
    task: Task,
    recorder: Recorder,
    state: State | None,
    pretrained: Weights,
    held_out: ImageCache,
) -> list[Rung]:
    """The rungs whose backbone is fine-tuned in part or wholly; none where the first epoch failed.

    Each has a head of its own, fitted to whole pictures of the published size: the one that was trained with
    the backbone has seen crops.
    """
    network = task.network
    try:
        fine_tune(task, recorder, state)
    except TrainingFailed as failure:
        say(f"{failure} Fine-tuning ends here; what there is without it is compared.")
    if recorder.fine_tuned is None:
        return []
    tuned = recorder.fine_tuned[: len(pretrained)]
    rungs = []
    for name, share in ladder.SHARES.items():
        backbone = ladder.averaged(pretrained, tuned, share)
        network.backbone.set_weights(backbone)
        head = fit_head(network, task.head_features(f"{name} features"))
        rungs.append(_rung(name, task, recorder, backbone, head, _held_out(network, held_out)))
    return rungs


def _rung(
    name: str,
    task: Task,
    recorder: Recorder,
    backbone: Weights,
    head: Weights,
    held_out: Floats,
) -> Rung:
    """A rung, scored on features ``held_out`` [N, F] of its backbone."""
    network = task.network
    before = network.head.get_weights()
    network.head.set_weights(head)
    scores = recorder.validation.scores(np.asarray(network.top(held_out), np.float32))
    network.head.set_weights(before)
    return Rung(name, [*backbone, *head], scores)
