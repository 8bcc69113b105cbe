"""Fitting, with a tiny backbone: every loss, every option, and the weights that are left."""

from itertools import pairwise
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.tiny_network import build, config
from tests.trainer.fit.fitting import Data, Weights, close, fitted, without_validation
from trainer.errors import TrainingFailed
from trainer.fit.history import Recorder
from trainer.fit.training import fit
from trainer.fit.validation import Hits, Validation, recall
from trainer.losses.objective import make_objective
from trainer.network.features import predict, unit

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


# One graph is enough where it is not the change of mining that is tested.
AT_ONCE = {"semi_hard_epochs": 0, "epochs": 1}


@pytest.mark.parametrize(
    "values",
    [
        {"mining": "all"},
        {"mining": "semi_hard", "soft_margin": True, "epochs": 1},
        {"mining": "batch_hard", "memory": 12, **AT_ONCE},
        {"mining": "distance_weighted", **AT_ONCE},
        {"loss": "contrastive", "margin": 0.5, "distillation": 1.0, **AT_ONCE},
        {"loss": "multi_similarity", "memory": 12, "hard_classes": 0.5, "ema": 0.9, **AT_ONCE},
        {"loss": "proxy_anchor", "head": "dense", "steps_per_epoch": None, **AT_ONCE},
        {"loss": "fixed_triplets", "frozen_stages": -1, "head": "dense", **AT_ONCE},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_every_loss_trains(values: dict[str, Any], data: Data) -> None:
    network, before, history = fitted(data, **values)
    stages = [epoch.stage for epoch in history.epochs]
    assert stages == ["head"] * (values.get("loss") != "fixed_triplets") + ["network"] * (
        values.get("epochs", 2)
    )
    for epoch in history.epochs:
        assert np.isfinite([epoch.loss, epoch.active, epoch.distance, epoch.rank]).all()
        assert epoch.distance > 0.01
    assert not close(network.embedder.get_weights(), before)
    embeddings = network.embedder.predict_on_batch(data[1].images[:5])
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


@pytest.mark.usefixtures("eager")
def test_what_is_measured_is_the_network_on_the_validation_images(data: Data) -> None:
    network, _, history = fitted(data, epochs=3, learning_rate=0.03, head_learning_rate=0.1)
    validation = Validation(data[1])
    recalls = [epoch.recall for epoch in history.epochs]
    assert history.best == max(r for r in recalls if r is not None) > 0
    assert history.selected in recalls
    assert recall(validation.hits(predict(network.embedder, data[1].images))) == history.selected
    untrained = unit(predict(build(config()).features, data[1].images))
    assert history.untrained == recall(validation.hits(untrained))


@pytest.mark.parametrize(
    ("found", "clearly", "kept"),
    [
        # The last of three epochs, although it is not the best, unless it is clearly worse.
        ((6, 9, 7), [False], 2),
        ((6, 9, 7), [True], 1),
        ((9, 5, 7), [True, True], 0),
        ((9, 5, 7), [True, False], 2),
        ((6, 9, 9), [], 2),
    ],
)
@pytest.mark.usefixtures("eager")
def test_the_last_weights_are_left_unless_they_are_clearly_worse_than_the_best(
    found: tuple[int, ...],
    clearly: list[bool],
    kept: int,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chosen = config(head_epochs=1, epochs=2, ema=0.5)
    network = build(chosen)
    weights: list[Weights] = []
    scripted, verdicts = iter([5, *found]), iter(clearly)

    def hits(*_: object) -> Hits:
        weights.append(network.embedder.get_weights())
        return np.arange(10) < next(scripted)

    monkeypatch.setattr(Validation, "hits", hits)
    monkeypatch.setattr(Validation, "clearly_worse", lambda *_: next(verdicts))
    history = fit(network, *data, chosen)
    assert (history.untrained, history.best) == (0.5, max(found) / 10)
    assert history.selected == found[kept] / 10
    left = network.embedder.get_weights()
    assert [close(left, seen, 0) for seen in weights[1:]] == [i == kept for i in range(3)]
    assert next(verdicts, None) is None, "every later epoch below the best was asked about"


@pytest.mark.usefixtures("eager")
def test_without_validation_the_last_weights_are_left(data: Data) -> None:
    last, before, history = fitted(without_validation(data), head_epochs=0, epochs=2)
    assert (history.untrained, history.best, history.selected) == (None, None, None)
    assert all(epoch.recall is None and epoch.rank > 1 for epoch in history.epochs)
    assert not close(last.embedder.get_weights(), before)


@pytest.mark.usefixtures("eager")
def test_one_loss_with_its_proxies_and_memory_serves_both_stages(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[keras.layers.Layer] = []
    seen: list[Weights] = []

    def make(*arguments: Any, **options: Any) -> keras.layers.Layer:
        made.append(make_objective(*arguments, **options))
        seen.append(made[-1].get_weights())
        return made[-1]

    def record(*arguments: Any) -> None:
        recorder_record(*arguments)
        seen.append(made[-1].get_weights())

    recorder_record = Recorder.record
    monkeypatch.setattr("trainer.fit.training.make_objective", make)
    monkeypatch.setattr(Recorder, "record", record)
    fitted(data, loss="proxy_anchor", head_epochs=2)
    assert (len(made), len(seen)) == (1, 5)
    moves = [np.abs(b[0] - a[0]).mean() for a, b in pairwise(seen)]
    assert min(moves) > 1e-4
    assert seen[0][0].shape == (8, 16)

    made.clear()
    seen.clear()
    fitted(data, memory=100, semi_hard_epochs=1)
    # Eight images a batch: two batches show all classes, and two make each of the later epochs.
    assert [int(weights[2]) for weights in seen] == [0, 16, 32, 48]
    assert made[0].loss.mining == "batch_hard"


def one_step(data: Data, **values: object) -> tuple[Weights, Weights]:
    """Weights before and after one step on the whole network."""
    network, before, _ = fitted(
        without_validation(data),
        head_epochs=0,
        head="dense",
        epochs=1,
        steps_per_epoch=1,
        **values,
    )
    return before, network.embedder.get_weights()


@pytest.mark.usefixtures("eager")
def test_the_average_of_the_weights_is_kept_and_not_their_last(data: Data) -> None:
    before, after = one_step(data)
    _, averaged = one_step(data, ema=0.99)
    share = 1 - 2 / 11
    expected = [old + share * (new - old) for old, new in zip(before, after, strict=True)]
    assert not close(after, before, 1e-4)
    assert close(averaged, expected)


@pytest.mark.usefixtures("eager")
def test_half_a_blend_is_a_backbone_halfway_under_the_trained_head(data: Data) -> None:
    values: dict[str, Any] = {"head_epochs": 1, "epochs": 1}
    network, before, _ = fitted(without_validation(data), **values)
    blended, _, _ = fitted(without_validation(data), **values, blend=0.5)
    backbone = {id(variable) for variable in network.backbone.variables}
    inside = [id(variable) in backbone for variable in network.embedder.weights]
    assert any(inside)
    assert not all(inside)
    expected = [
        (old + new) / 2 if inner else new
        for inner, old, new in zip(inside, before, network.embedder.get_weights(), strict=True)
    ]
    assert not close(network.embedder.get_weights(), expected, 1e-4)
    assert close(blended.embedder.get_weights(), expected)


@pytest.mark.usefixtures("eager")
def test_a_blend_leaves_what_is_kept_beside_as_it_was(data: Data) -> None:
    values: dict[str, Any] = {"keep": 0.4, "keep_dimension": 8, "blend": 0.5, "epochs": 1}
    network, _, _ = fitted(data, **values)
    images = data[1].images
    assert network.kept is not None
    known = unit(predict(build(config(**values)).features, images) @ network.kept.get_weights()[0])
    kept = predict(network.embedder, images)[:, -8:]
    assert unit(kept) == pytest.approx(known, abs=1e-4)


@pytest.mark.parametrize("stage", [{"head_epochs": 2}, {"head_epochs": 0}])
def test_numbers_that_are_none_stop_with_a_sentence(data: Data, stage: dict[str, int]) -> None:
    huge = {"learning_rate": 1e38, "head_learning_rate": 1e38, "warmup": 0}
    with pytest.raises(TrainingFailed, match="not a number"):
        fitted(data, **huge, **stage)
