"""The epochs of the whole network: what learns, on which images, and when it ends."""

from typing import Any

import keras
import numpy as np
import pytest

from tests.trainer.fit.fitting import Data, fitted, without_validation
from trainer.batches.batch_sampler import BatchSampler
from trainer.errors import DataError
from trainer.fit import fine_tuning, ladder, steps

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


def trained(data: Data, **values: object) -> set[str]:
    """The variables that differ between the fine-tuned backbone and the pretrained one."""
    network, before, _ = fitted(without_validation(data), epochs=1, **values)
    paths = [weight.path for weight in network.backbone.weights]
    after = network.backbone.get_weights()
    return {
        path
        for path, old, new in zip(paths, before[:-2], after, strict=True)
        if not np.array_equal(old, new)
    }


@pytest.mark.usefixtures("eager")
def test_frozen_stages_stay(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ladder, "choose", lambda rungs: rungs[-1])
    expected = {0: {"conv0/kernel", "conv1/kernel"}, 1: {"conv1/kernel"}}
    for stages, variables in expected.items():
        assert trained(data, frozen_stages=stages) == variables


@pytest.mark.usefixtures("eager")
def test_mining_changes_when_it_should(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    built: list[str] = []
    step = steps.training_step

    def noted(embedder: keras.Model, objective: keras.layers.Layer, *rest: Any) -> Any:
        built.append(objective.mining)
        return step(embedder, objective, *rest)

    monkeypatch.setattr(fine_tuning, "training_step", noted)
    fitted(data, loss="triplet", semi_hard_epochs=1, mining="all", steps_per_epoch=1)
    fitted(data, loss="triplet", semi_hard_epochs=0, mining="all", steps_per_epoch=1)
    fitted(data, loss="triplet", semi_hard_epochs=1, mining="semi_hard", steps_per_epoch=1)
    assert built == ["semi_hard", "all", "all", "semi_hard"]


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
    _, _, history = fitted((train, data[1]), single_images=0.25)
    assert len(history.epochs) == 2
    assert all((batch == 28).sum() == 2 for batch in drawn)
    drawn.clear()
    fitted((train, data[1]))
    assert not any((batch == 28).any() for batch in drawn)


def test_classes_without_pairs_are_refused_in_a_sentence(data: Data) -> None:
    with pytest.raises(DataError, match="two classes"):
        fitted((data[0].subset(np.arange(5)), data[1]))


@pytest.mark.usefixtures("eager")
def test_every_epoch_has_crops_and_colours_of_its_own(
    data: Data, pictures: list[np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BatchSampler, "epoch", lambda *_: [np.arange(8), np.arange(8)])
    fitted(data, epochs=2)
    first, second = (p.astype(float) for p in pictures)
    assert np.abs(first - second).mean() > 5
