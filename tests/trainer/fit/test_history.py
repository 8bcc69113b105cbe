"""The history of a run: the weights it selects, the alarms that end it, and the state it resumes from."""

from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from tests.support.tiny_network import build, config
from tests.trainer.fit.fitting import Data, close, fitted
from tests.trainer.losses.batches import unit
from trainer.config import TrainConfig
from trainer.errors import TrainingFailed
from trainer.fit.checkpoint import Checkpoint, State
from trainer.fit.history import Recorder
from trainer.fit.steps import Means
from trainer.fit.training import fit
from trainer.fit.validation import Validation

# Eager steps, see ``eager``: augmentation is still a graph, which is meant.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the")


class NoImages(Validation):
    """A validation that looks at nothing."""

    def __init__(self) -> None:
        self.queries = 0


def recorder_of(config: TrainConfig) -> Recorder:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    return Recorder(model, NoImages(), config)


def test_an_alarm_ends_the_stage(capfd: pytest.CaptureFixture[str]) -> None:
    recorder, means = recorder_of(TrainConfig()), Means()
    means.add((0.1, 1.0, 0.001))
    with pytest.raises(TrainingFailed, match="collapsed"):
        recorder.record(1, 2, means, unit(6, 2))
    assert capfd.readouterr().err.count("epoch 1/2") == 1
    assert recorder.fine_tuned is None


def test_numbers_that_are_none_end_the_stage_and_are_no_epoch() -> None:
    recorder, means = recorder_of(TrainConfig()), Means()
    means.add((float("nan"), 1.0, 0.9))
    with pytest.raises(TrainingFailed, match="not a number"):
        recorder.record(1, 2, means, unit(6, 2))
    assert recorder.history.epochs == []


class Interrupted(BaseException):
    """As Ctrl-C is: no ``Exception``."""


@pytest.mark.parametrize(
    "values",
    [
        {"ema": 0.9, "memory": 20},
        {"loss": "contrastive", "hard_classes": 0.5},
        {"loss": "triplet", "ema": 0},
    ],
    ids="-".join,
)
@pytest.mark.parametrize("interrupted", [1, 2])
@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_goes_on_to_the_same_weights(
    values: dict[str, Any],
    interrupted: int,
    data: Data,
    pictures: list[np.ndarray],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    chosen = config(epochs=2, **values)
    whole, _, history = fitted(data, epochs=2, **values)
    seen = list(pictures)

    checkpoint = Checkpoint(tmp_path / "state")
    record = Recorder.record

    def interrupt(recorder: Recorder, number: int, *rest: Any) -> None:
        if number == interrupted:
            raise Interrupted
        record(recorder, number, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(Recorder, "record", interrupt)
        with pytest.raises(Interrupted):
            fit(build(chosen), *data, chosen, checkpoint=checkpoint)
    state = checkpoint.load()
    assert isinstance(state, State)
    pictures.clear()
    again = build(chosen)
    resumed = fit(again, *data, chosen, checkpoint=checkpoint, state=state)

    done = "epoch 1" if interrupted == 2 else "the heads"
    assert f"resuming after {done}" in capfd.readouterr().err
    assert len(pictures) == 3 - interrupted, "no finished epoch is trained again"
    assert all(np.array_equal(a, b) for a, b in zip(pictures, seen[interrupted - 1 :], strict=True))
    assert [e.recall for e in resumed.epochs] == [e.recall for e in history.epochs]
    assert (resumed.untrained, resumed.distance) == (history.untrained, history.distance)
    assert resumed.ladder == history.ladder
    assert close(resumed.adapted, history.adapted)
    assert close(again.embedder.get_weights(), whole.embedder.get_weights(), 1e-4)
    finished = checkpoint.load()
    assert finished is not None
    # Nothing is left to do after the last epoch, as when the power fails while it publishes.
    pictures.clear()
    last = build(chosen)
    ended = fit(last, *data, chosen, state=finished)
    assert (ended.as_rows(), ended.ladder) == (resumed.as_rows(), resumed.ladder)
    assert pictures == []
    assert close(last.embedder.get_weights(), again.embedder.get_weights())


@pytest.mark.usefixtures("eager")
def test_a_run_that_was_interrupted_after_the_heads_does_not_fit_them_again(
    data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    chosen = config()
    checkpoint = Checkpoint(tmp_path / "state")
    with monkeypatch.context() as patch:
        patch.setattr(
            "trainer.fit.training.fine_tune", lambda *_: (_ for _ in ()).throw(Interrupted)
        )
        with pytest.raises(Interrupted):
            fit(build(chosen), *data, chosen, checkpoint=checkpoint)
    again = build(chosen)
    monkeypatch.setattr("trainer.fit.training.fit_heads", lambda *_: pytest.fail("fitted again"))
    history = fit(again, *data, chosen, checkpoint=checkpoint, state=checkpoint.load())
    monkeypatch.undo()
    whole, _, expected = fitted(data)
    assert "resuming after the heads" in capfd.readouterr().err
    assert history.epochs == expected.epochs
    assert close(again.embedder.get_weights(), whole.embedder.get_weights(), 1e-5)
