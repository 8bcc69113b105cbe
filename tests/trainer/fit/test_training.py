"""Fitting, with a tiny backbone: every loss, every option, and what is kept of them."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from tests.tiny_network import build, caches, config
from trainer.batches import stream
from trainer.batches.batch_sampler import BatchSampler
from trainer.data.cache import ImageCache
from trainer.errors import DataError, TrainingFailed
from trainer.fit import network_stage, steps
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.history import Recorder
from trainer.fit.training import History, fit
from trainer.fit.validation import Hits, Validation, recall
from trainer.losses.objective import make_objective
from trainer.network.embedder import Network
from trainer.network.features import predict, unit

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")

Data = tuple[ImageCache, ImageCache]
Weights = list[np.ndarray]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    return caches(tmp_path_factory.mktemp("fit"), config())


@pytest.fixture
def eager() -> Iterator[None]:
    """Steps run without a graph: for a few steps, building one takes longer than taking them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def fitted(data: Data, **values: object) -> tuple[Network, Weights, History]:
    """A fitted network, the weights it began with, and its history."""
    chosen = config(**values)
    network = build(chosen)
    before = network.embedder.get_weights()
    return network, before, fit(network, *data, chosen)


def without_validation(data: Data) -> Data:
    return data[0], data[1].subset(np.arange(0))


def close(mine: Weights, theirs: Weights, tolerance: float = 1e-6) -> bool:
    return all(np.allclose(a, b, atol=tolerance, rtol=0) for a, b in zip(mine, theirs, strict=True))


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
def test_the_head_alone_leaves_the_backbone_as_it_is(data: Data) -> None:
    network, before, history = fitted(data, head_epochs=2, epochs=0)
    after = network.embedder.get_weights()
    assert close(after[:-1], before[:-1], 0)
    assert not close(after[-1:], before[-1:])
    assert [epoch.stage for epoch in history.epochs] == ["head", "head"]


@pytest.mark.usefixtures("eager")
def test_few_images_are_enough_for_the_head(data: Data) -> None:
    """``head_images`` of 9 are two classes of four images."""
    _, _, history = fitted(data, head_images=9, epochs=0)
    assert len(history.epochs) == 1


def trained(data: Data, **values: object) -> set[str]:
    network, _, _ = fitted(without_validation(data), head_epochs=0, epochs=1, **values)
    before = build(config()).embedder.get_weights()
    paths = [weight.path for weight in network.embedder.weights]
    after = network.embedder.get_weights()
    return {
        path
        for path, old, new in zip(paths, before, after, strict=True)
        if not np.array_equal(old, new)
    }


@pytest.mark.usefixtures("eager")
def test_frozen_stages_stay(data: Data) -> None:
    everything = {"conv0/kernel", "conv1/kernel", "head/kernel"}
    expected = {0: everything, 1: everything - {"conv0/kernel"}, -1: {"head/kernel"}}
    for stages, variables in expected.items():
        assert trained(data, frozen_stages=stages) == variables


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


@pytest.mark.usefixtures("eager")
def test_mining_changes_when_it_should(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    step = steps.network_step

    def noted(embedder: keras.Model, objective: keras.layers.Layer, *rest: Any) -> Any:
        built.append(objective.mining)
        return step(embedder, objective, *rest)

    monkeypatch.setattr(network_stage, "network_step", noted)
    fitted(data, semi_hard_epochs=1, mining="all", steps_per_epoch=1)
    fitted(data, semi_hard_epochs=0, mining="all", steps_per_epoch=1)
    fitted(data, semi_hard_epochs=1, mining="semi_hard", steps_per_epoch=1)
    assert built == ["semi_hard", "all", "all", "semi_hard"]


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


# Nothing changes, however long it trains.
STILL = {
    "head_epochs": 0,
    "steps_per_epoch": 1,
    "learning_rate": 1e-12,
    "head_learning_rate": 1e-12,
}


@pytest.mark.usefixtures("eager")
def test_patience_ends_a_run_that_gets_no_better(
    data: Data, capfd: pytest.CaptureFixture[str]
) -> None:
    still = {**STILL, "epochs": 4}
    _, _, history = fitted(data, patience=2, **still)
    assert len(history.epochs) == 3
    assert "no better validation recall for 2 epochs" in capfd.readouterr().err
    assert len(fitted(data, **still)[2].epochs) == 4


@pytest.mark.usefixtures("eager")
def test_a_single_image_takes_part_where_it_is_wanted(
    data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Of the last class the first image alone.
    train = data[0].subset(np.arange(29))
    drawn: list[np.ndarray] = []
    epoch = BatchSampler.epoch

    def noted(*arguments: Any) -> list[np.ndarray]:
        batches = epoch(*arguments)
        drawn.extend(batches)
        return batches

    monkeypatch.setattr(BatchSampler, "epoch", noted)
    _, _, history = fitted((train, data[1]), single_images=0.25, loss="proxy_anchor")
    assert len(history.epochs) == 3
    assert all((batch == 28).sum() == 2 for batch in drawn)
    drawn.clear()
    fitted((train, data[1]))
    assert not any((batch == 28).any() for batch in drawn)


def test_classes_without_pairs_are_refused_in_a_sentence(data: Data) -> None:
    for head_epochs in (0, 1):
        with pytest.raises(DataError, match="two classes"):
            fitted((data[0].subset(np.arange(5)), data[1]), head_epochs=head_epochs)


@pytest.mark.parametrize("stage", [{"head_epochs": 2}, {"head_epochs": 0}])
def test_numbers_that_are_none_stop_with_a_sentence(data: Data, stage: dict[str, int]) -> None:
    huge = {"learning_rate": 1e38, "head_learning_rate": 1e38, "warmup": 0}
    with pytest.raises(TrainingFailed, match="not a number"):
        fitted(data, **huge, **stage)


class Interrupted(BaseException):
    """As Ctrl-C is: no ``Exception``."""


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """The first batch of every epoch, as the network sees it."""
    seen: list[np.ndarray] = []
    make = stream.stream

    def noted(*arguments: Any) -> Any:
        dataset = make(*arguments)
        seen.append(np.asarray(next(iter(dataset))[0]))
        return dataset

    monkeypatch.setattr(network_stage, "stream", noted)
    return seen


@pytest.mark.usefixtures("eager")
def test_every_epoch_has_crops_and_colours_of_its_own(
    data: Data, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchSampler, "epoch", lambda *_: [np.arange(8), np.arange(8)])
    fitted(data, epochs=2)
    first, second = (p.astype(float) for p in pictures)
    assert np.abs(first - second).mean() > 5


@pytest.mark.parametrize(
    "values",
    [
        {"ema": 0.9, "memory": 20, "distillation": 1.0, "patience": 9},
        {"loss": "proxy_anchor", "hard_classes": 0.5},
        {"loss": "fixed_triplets"},
    ],
    ids="-".join,
)
@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_goes_on_to_the_same_weights(
    values: dict[str, Any],
    data: Data,
    pictures: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chosen = config(epochs=3, **values)
    whole, _, history = fitted(data, epochs=3, **values)
    seen = list(pictures)

    checkpoint = Checkpoint(tmp_path / "state")
    record = Recorder.record

    def interrupt(recorder: Recorder, stage: str, number: int, *rest: Any) -> None:
        if (stage, number) == ("network", 2):
            raise Interrupted
        record(recorder, stage, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", interrupt)
        with pytest.raises(Interrupted):
            fit(build(chosen), *data, chosen, checkpoint=checkpoint)
    state = checkpoint.load()
    assert isinstance(state, State)
    pictures.clear()
    again = build(chosen)
    resumed = fit(again, *data, chosen, checkpoint=checkpoint, state=state)

    assert "resuming after epoch 1" in capfd.readouterr().err
    assert len(pictures) == 2, "neither the head nor the first epoch is trained again"
    assert all(np.array_equal(a, b) for a, b in zip(pictures, seen[1:], strict=True))
    assert [(e.stage, e.recall) for e in resumed.epochs] == [
        (e.stage, e.recall) for e in history.epochs
    ]
    assert (resumed.untrained, resumed.best) == (history.untrained, history.best)
    assert resumed.selected == history.selected
    assert close(again.embedder.get_weights(), whole.embedder.get_weights(), 1e-4)
    finished = checkpoint.load()
    assert finished is not None
    # Nothing is left to do after the last epoch, as when the power fails while it publishes.
    pictures.clear()
    last = build(chosen)
    assert fit(last, *data, chosen, state=finished).as_rows() == resumed.as_rows()
    assert pictures == []
    assert close(last.embedder.get_weights(), again.embedder.get_weights())


@pytest.mark.usefixtures("eager")
def test_a_run_that_was_interrupted_after_the_head_does_not_train_it_again(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = config()
    checkpoint = Checkpoint(tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(
            "trainer.fit.training.fit_network", lambda *_: (_ for _ in ()).throw(Interrupted)
        )
        with pytest.raises(Interrupted):
            fit(build(chosen), *data, chosen, checkpoint=checkpoint)
    again = build(chosen)
    history = fit(again, *data, chosen, checkpoint=checkpoint, state=checkpoint.load())
    whole, _, expected = fitted(data)
    assert "resuming after the head's epochs" in capfd.readouterr().err
    assert history.epochs == expected.epochs
    assert close(again.embedder.get_weights(), whole.embedder.get_weights(), 1e-5)


@pytest.mark.usefixtures("eager")
def test_patience_counts_what_came_before_the_interruption(data: Data, tmp_path: Path) -> None:
    chosen = config(patience=2, **STILL, epochs=4)
    checkpoint = Checkpoint(tmp_path / "state")
    stopped = fit(build(chosen), *data, chosen, checkpoint=checkpoint)
    again = fit(build(chosen), *data, chosen, checkpoint=checkpoint, state=checkpoint.load())
    assert again.as_rows() == stopped.as_rows()
    assert len(again.epochs) == 3
