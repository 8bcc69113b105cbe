"""Fitting, with a tiny backbone: every loss, every option, and the weights that are left."""

from typing import Any

import keras
import numpy as np
import pytest

from tests.support.tiny_network import build, config
from tests.trainer.fit.fitting import Data, Weights, close, fitted, without_validation
from trainer.data.records import numbered
from trainer.errors import TrainingFailed
from trainer.fit import diagnostics, ladder
from trainer.fit.history import Recorder
from trainer.fit.training import fit
from trainer.fit.validation import Validation
from trainer.losses.objective import make_objective
from trainer.network.embedder import Network
from trainer.network.features import predict

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


# One graph is enough where it is not the change of mining that is tested.
AT_ONCE = {"semi_hard_epochs": 0, "epochs": 1}
LADDER = ["pretrained", "adapted", "head", "50% fine-tuned", "fine-tuned"]


@pytest.mark.parametrize(
    "values",
    [
        {"loss": "triplet", "mining": "all"},
        {"loss": "triplet", "mining": "semi_hard", "soft_margin": True, "epochs": 1},
        {"loss": "triplet", "mining": "batch_hard", "memory": 12, **AT_ONCE},
        {"loss": "triplet", "mining": "distance_weighted", **AT_ONCE},
        {"loss": "contrastive", "margin": 0.5, **AT_ONCE},
        {"loss": "multi_similarity", "memory": 12, "hard_classes": 0.5, "ema": 0.9, **AT_ONCE},
        {"loss": "triplet", "steps_per_epoch": None, "frozen_stages": 1, **AT_ONCE},
    ],
    ids=lambda values: "-".join(map(str, values.values())),
)
def test_every_loss_trains(values: dict[str, Any], data: Data) -> None:
    network, before, history = fitted(data, **values)
    assert len(history.epochs) == values.get("epochs", 2)
    for epoch in history.epochs:
        assert np.isfinite([epoch.loss, epoch.active, epoch.distance, epoch.rank]).all()
        assert epoch.distance > 0.01
    assert [rung["name"] for rung in history.ladder] == LADDER
    assert not close(network.embedder.get_weights(), before)
    embeddings = network.embedder.predict_on_batch(data[1].images[:5])
    assert np.allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)


def recall_of(network: Network, data: Data) -> float:
    scores = Validation(data[1]).scores(predict(network.embedder, data[1].images))
    assert scores is not None
    return scores.recall


@pytest.mark.usefixtures("eager")
def test_what_is_measured_is_the_network_on_the_validation_images(data: Data) -> None:
    network, _, history = fitted(data, epochs=3, learning_rate=0.03)
    measured = {rung["name"]: rung["recall@1"][0] for rung in history.ladder}
    assert recall_of(network, data) == measured[history.published]
    assert [rung["published"] for rung in history.ladder].count(True) == 1
    assert history.untrained == measured["adapted"]
    network.embedder.set_weights(history.adapted)
    assert recall_of(network, data) == history.untrained


@pytest.mark.parametrize("name", LADDER)
@pytest.mark.usefixtures("eager")
def test_the_chosen_rung_is_what_is_left(
    name: str, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever it is, its weights are in the network, and its figures are theirs."""
    monkeypatch.setattr(
        ladder, "choose", lambda rungs: next(rung for rung in rungs if rung.name == name)
    )
    network, before, history = fitted(data, learning_rate=0.03)
    assert history.published == name
    chosen = next(rung for rung in history.ladder if rung["published"])
    assert recall_of(network, data) == chosen["recall@1"][0]
    frozen = close(network.backbone.get_weights(), before[:-2], 0)
    assert frozen == (name in ("pretrained", "adapted", "head"))
    assert close(network.embedder.get_weights(), history.adapted, 0) == (name == "adapted")


@pytest.mark.parametrize(("collapsing", "taken"), [(None, 3), (3, 2), (2, 1)])
@pytest.mark.usefixtures("eager")
def test_the_weights_after_the_last_sound_epoch_are_the_fine_tuned_ones(
    collapsing: int | None,
    taken: int,
    data: Data,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Not those of the epoch with the best figures: of few queries that is mostly the luckiest."""
    seen: list[Weights] = []
    check, averaged = diagnostics.check, ladder.averaged
    chosen = config(epochs=3, ema=0.5)
    network = build(chosen)

    def checked(epochs: list[Any], *rest: Any) -> None:
        check(epochs, *rest)
        seen.append(network.backbone.get_weights())
        if len(epochs) == collapsing:
            raise TrainingFailed("The network collapsed.")

    left: list[Weights] = []

    def noted(pretrained: Weights, tuned: Weights, share: float) -> Weights:
        left.append(tuned)
        return averaged(pretrained, tuned, share)

    monkeypatch.setattr(diagnostics, "check", checked)
    monkeypatch.setattr(ladder, "averaged", noted)
    history = fit(network, *data, chosen)
    said = " ".join(capfd.readouterr().err.split())
    assert ("The network collapsed. Fine-tuning ends here" in said) == (collapsing is not None)
    assert [close(left[-1], weights, 0) for weights in seen] == [
        number == taken for number in range(1, len(seen) + 1)
    ]
    assert [rung["name"] for rung in history.ladder] == LADDER


@pytest.mark.usefixtures("eager")
def test_without_validation_the_middle_of_what_was_trained_is_left(data: Data) -> None:
    last, _, history = fitted(without_validation(data), epochs=2)
    assert (history.untrained, history.published) == (None, "50% fine-tuned")
    assert all(epoch.recall is None and epoch.rank > 1 for epoch in history.epochs)
    assert history.ladder[-1] == {"name": "fine-tuned", "published": False}
    assert not close(last.embedder.get_weights(), history.adapted, 0)


@pytest.mark.usefixtures("eager")
def test_with_one_validation_class_nothing_is_fine_tuned(
    data: Data, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every image of it finds another: nothing could be seen to get better."""
    alone = data[1].subset(np.flatnonzero(np.array(numbered(data[1].records)) == 0))
    _, _, history = fitted((data[0], alone))
    assert "Only one class is held out to validate" in " ".join(capfd.readouterr().err.split())
    assert history.epochs == []
    assert (len(history.ladder), history.published) == (3, "adapted")


@pytest.mark.usefixtures("eager")
def test_without_any_epoch_there_are_the_rungs_of_frozen_features(data: Data) -> None:
    _, _, history = fitted(data, epochs=0)
    assert [rung["name"] for rung in history.ladder] == LADDER[:3]


@pytest.mark.usefixtures("eager")
def test_one_loss_with_its_memory_serves_all_epochs(
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
    fitted(data, loss="triplet", memory=100, semi_hard_epochs=1)
    # Two batches an epoch, of eight images each.
    assert [int(weights[2]) for weights in seen] == [0, 16, 32]
    assert made[0].loss.mining == "batch_hard"


def one_step(data: Data, monkeypatch: pytest.MonkeyPatch, rung: int, ema: float) -> Weights:
    """The backbone of that rung after one step on the whole network."""
    monkeypatch.setattr(ladder, "choose", lambda rungs: rungs[rung])
    network, _, _ = fitted(without_validation(data), epochs=1, steps_per_epoch=1, ema=ema)
    weights: Weights = network.backbone.get_weights()
    return weights


@pytest.mark.usefixtures("eager")
def test_the_average_of_the_weights_is_kept_and_not_their_last(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = one_step(data, monkeypatch, LADDER.index("head"), ema=0)
    after = one_step(data, monkeypatch, -1, ema=0)
    averaged = one_step(data, monkeypatch, -1, ema=0.99)
    share = 1 - 2 / 11
    expected = [old + share * (new - old) for old, new in zip(before, after, strict=True)]
    assert not close(after, before, 1e-4)
    assert close(averaged, expected)


HUGE = {"learning_rate": 1e38, "warmup": 0}


def test_fine_tuning_that_fails_is_left_out_of_the_ladder(
    data: Data, capfd: pytest.CaptureFixture[str]
) -> None:
    network, _, history = fitted(data, **HUGE)
    said = " ".join(capfd.readouterr().err.split())
    assert "The loss is not a number" in said
    assert "ends here" in said
    assert [rung["name"] for rung in history.ladder] == LADDER[:3]
    assert all(np.isfinite(weights).all() for weights in network.embedder.get_weights())
    published = next(rung for rung in history.ladder if rung["published"])
    assert recall_of(network, data) == published["recall@1"][0]
