"""What a run keeps of its epochs, and whether an alarm ends it."""

import keras
import numpy as np
import pytest

from tests.trainer.losses.batches import unit
from trainer.config import TrainConfig
from trainer.errors import TrainingFailed
from trainer.fit import diagnostics
from trainer.fit.history import Recorder
from trainer.fit.steps import Means
from trainer.fit.validation import Validation


class NoImages(Validation):
    """A validation that looks at nothing."""

    def __init__(self) -> None:
        self.queries = 0

    def recall(self, embeddings: np.ndarray) -> float | None:
        return None


def recorded(config: TrainConfig, epochs: int) -> Recorder:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    recorder = Recorder(model, NoImages(), config)
    for number in range(1, epochs + 1):
        means = Means()
        means.add((0.1, 1.0, 0.001))
        recorder.record("network", number, epochs, means, unit(6, 2))
    return recorder


def test_an_alarm_ends_the_run(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TrainingFailed, match="collapsed"):
        recorded(TrainConfig(), 2)
    assert capfd.readouterr().err.count("network") == 1


def test_an_alarm_is_told_once_where_it_must_not_end_the_run(
    capfd: pytest.CaptureFixture[str],
) -> None:
    recorder = recorded(TrainConfig(stop_if_failing=False), 3)
    assert len(recorder.history.epochs) == 3
    said = " ".join(capfd.readouterr().err.split())
    assert said.count("The network collapsed") == 1
    assert said.count("stop_if_failing is off") == 1


def test_numbers_that_are_none_end_every_run(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_a_number(*_: object) -> None:
        raise TrainingFailed("not a number")

    monkeypatch.setattr(diagnostics, "check_finite", not_a_number)
    with pytest.raises(TrainingFailed, match="not a number"):
        recorded(TrainConfig(stop_if_failing=False), 1)
