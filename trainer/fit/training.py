"""Training: the untrained rungs, the head on frozen features, the whole network, and their averages."""

from collections.abc import Callable
from functools import partial

import numpy as np
import tensorflow as tf

from gemello.progress import say, track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache
from trainer.data.records import numbered
from trainer.errors import TrainingFailed
from trainer.fit import ladder
from trainer.fit.checkpoint import Checkpoint, State, Weights
from trainer.fit.head_stage import fit_head, untrained_heads
from trainer.fit.history import History, Recorder
from trainer.fit.ladder import Rung
from trainer.fit.network_stage import fit_network
from trainer.fit.task import Task
from trainer.fit.validation import Scores, Validation
from trainer.losses.objective import make_objective
from trainer.network.embedder import Network
from trainer.network.features import Floats, predict

__all__ = ["History", "fit"]


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
    the head's epochs and after every later one; a ``state`` that it loaded is continued. ``network``
    is pretrained, and built inside the scope of ``strategy``. A stage that fails ends early, and
    what came before it stays. Raises ``DataError``.
    """
    strategy = strategy or tf.distribute.get_strategy()
    labels = np.array(numbered(train.records), np.int32)
    with strategy.scope():
        objective = make_objective(
            config.loss, int(labels.max()) + 1, config.network.dimension, seed=config.seed
        )
    task = Task(network, train, labels, config, strategy, objective)
    recorder = Recorder(network.embedder, Validation(validation), config, checkpoint)
    pretrained: Weights = network.backbone.get_weights()
    with track("validation features", len(validation.records)) as advance:
        held_out: Floats = network.features.rows(validation, advance)[:]
    if state is None:
        _fit_heads(task, recorder, held_out)
    else:
        recorder.restore(state)
        objective.set_weights(state.arrays["objective"])
    heads = recorder.heads
    rungs = [
        _frozen(name, task, recorder, pretrained, heads[name], held_out)
        for name in (ladder.PRETRAINED, ladder.ADAPTED, ladder.HEAD)
        if name in heads
    ]
    if config.epochs:
        _attempt("network", lambda: fit_network(task, recorder, state))
    if recorder.selected_weights is not None:
        score = partial(_score, network, recorder.validation)
        adapted, tuned = [*pretrained, *heads[ladder.ADAPTED]], recorder.selected_weights
        rungs += ladder.averages(adapted, tuned, score)
        rungs.append(Rung(ladder.FINE_TUNED, lambda: tuned, score(tuned)))
    chosen = ladder.choose(rungs)
    ladder.show(rungs, chosen)
    recorder.history.adapted = [*pretrained, *heads[ladder.ADAPTED]]
    recorder.history.ladder = ladder.as_manifest(rungs, chosen)
    network.embedder.set_weights(chosen.weights())
    return recorder.history


def _fit_heads(task: Task, recorder: Recorder, held_out: Floats) -> None:
    """The heads on frozen features; the last stays in the network."""
    features, head = task.head_features(), task.network.head
    recorder.heads = untrained_heads(task, features)
    head.set_weights(recorder.heads[ladder.ADAPTED])
    recorder.begin(held_out if len(held_out) else features.some(), task.network.top)
    objective = task.objective.get_weights()
    if task.config.head_epochs:
        if _attempt("head", lambda: fit_head(task, recorder, held_out, features)):
            recorder.heads[ladder.HEAD] = head.get_weights()
        else:
            # What follows begins as if the head had never been trained.
            head.set_weights(recorder.heads[ladder.ADAPTED])
            task.objective.set_weights(objective)
    recorder.save({}, objective=task.objective.get_weights())


def _attempt(title: str, stage: Callable[[], None]) -> bool:
    """Whether ``stage`` came to its end."""
    try:
        stage()
    except TrainingFailed as failure:
        say(f"{failure} Training of the {title} ends here; what there is without it is compared.")
        return False
    return True


def _frozen(
    name: str,
    task: Task,
    recorder: Recorder,
    backbone: Weights,
    head: Weights,
    held_out: Floats,
) -> Rung:
    """A rung whose backbone is the pretrained one: features in memory are enough to score it."""
    top = task.network.top
    before = task.network.head.get_weights()
    task.network.head.set_weights(head)
    scores = recorder.validation.scores(np.asarray(top(held_out), np.float32))
    task.network.head.set_weights(before)
    return Rung(name, lambda: [*backbone, *head], scores)


def _score(network: Network, validation: Validation, weights: Weights) -> Scores | None:
    network.embedder.set_weights(weights)
    return validation.scores(predict(network.embedder, validation.images))
