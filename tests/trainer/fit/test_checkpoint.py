"""A run's state on disk: complete, and there whatever moment the power is cut at."""

import json
from pathlib import Path

import numpy as np
import pytest

from trainer.errors import DataError
from trainer.fit import checkpoint as checkpoints
from trainer.fit.checkpoint import Checkpoint, State


def state(number: int = 1) -> State:
    weights: list[np.ndarray] = [np.full((2, 3), number, np.float32), np.array(number, np.int64)]
    return State({"weights": weights, "average": []}, {"epochs": [{"loss": 0.25}], "n": number})


def number(checkpoint: Checkpoint) -> int | None:
    found = checkpoint.load()
    return None if found is None else found.values["n"]


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "runs" / "abc")


def test_what_was_saved_is_loaded(checkpoint: Checkpoint) -> None:
    assert checkpoint.load() is None
    for n in (1, 2):
        checkpoint.save(state(n))
    found = checkpoint.load()
    assert found is not None
    assert found.values == state(2).values
    assert found.arrays["average"] == []
    for mine, theirs in zip(found.arrays["weights"], state(2).arrays["weights"], strict=True):
        assert (mine.dtype, mine.tolist()) == (theirs.dtype, theirs.tolist())
    assert [path.name for path in checkpoint.folder.parent.iterdir()] == ["abc"]


@pytest.mark.parametrize(
    "written", [None, checkpoints.STATE_FORMAT - 1, checkpoints.STATE_FORMAT + 1]
)
def test_a_state_of_another_format_is_not_taken_up(
    checkpoint: Checkpoint, written: int | None
) -> None:
    checkpoint.save(state(1))
    path = checkpoint.folder / "facts.json"
    facts = json.loads(path.read_text())
    del facts["format"]
    path.write_text(json.dumps(facts if written is None else {**facts, "format": written}))
    assert checkpoint.load() is None
    checkpoint.save(state(2))
    assert number(checkpoint) == 2


def test_a_crash_at_any_rename_leaves_the_state_before_or_after(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoint.save(state(1))
    rename = Path.rename

    class PowerCutError(Exception):
        pass

    for survives in (0, 1):
        left = survives

        def cut(path: Path, target: Path) -> Path:
            nonlocal left
            if not left:
                raise PowerCutError
            left -= 1
            return rename(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "rename", cut)
            # Nobody cleans up after a power cut.
            patch.setattr("trainer.fit.checkpoint.shutil.rmtree", lambda *_, **__: None)
            with pytest.raises(PowerCutError):
                checkpoint.save(state(2))
        assert number(checkpoint) == 1

    # The state that stepped aside is all there is, until the next one is complete.
    assert not checkpoint.folder.exists()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(PowerCutError))
        with pytest.raises(PowerCutError):
            checkpoint.save(state(3))
    assert number(checkpoint) == 1
    checkpoint.save(state(4))
    assert number(checkpoint) == 4
    checkpoint.clear()
    assert list(checkpoint.folder.parent.iterdir()) == []


@pytest.mark.parametrize("name", ["facts.json", "weights.npz", "average.npz"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "gone"])
def test_a_damaged_state_is_a_sentence(checkpoint: Checkpoint, name: str, damage: str) -> None:
    checkpoint.save(state())
    file = checkpoint.folder / name
    data = file.read_bytes()
    file.unlink()
    if damage != "gone":
        file.write_bytes(data[: len(data) // 2] if damage == "cut" else b"\xff{}")
    with pytest.raises(DataError, match=r"damaged .* without --resume"):
        checkpoint.load()


def test_facts_of_another_form_are_a_sentence(checkpoint: Checkpoint) -> None:
    checkpoint.save(state())
    known: dict[str, object] = {"format": checkpoints.STATE_FORMAT}
    forms: tuple[object, ...] = ([], known, {**known, "arrays": 3})
    for facts in forms:
        (checkpoint.folder / "facts.json").write_text(json.dumps(facts))
        with pytest.raises(DataError, match="damaged"):
            checkpoint.load()


def test_clearing_leaves_other_runs_alone(checkpoint: Checkpoint) -> None:
    other = Checkpoint(checkpoint.folder.with_name("abcd"))
    checkpoint.save(state(1))
    other.save(state(2))
    checkpoint.folder.with_name(".abc-0123").mkdir()
    checkpoint.clear()
    assert (number(checkpoint), number(other)) == (None, 2)
    assert [path.name for path in checkpoint.folder.parent.iterdir()] == ["abcd"]


def test_of_several_workers_one_writes_and_all_read(checkpoint: Checkpoint) -> None:
    reader = Checkpoint(checkpoint.folder, writes=False)
    reader.save(state(1))
    assert number(checkpoint) is None
    checkpoint.save(state(2))
    reader.clear()
    assert number(reader) == 2


def test_a_folder_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot be written to .*--cache"):
        Checkpoint(tmp_path / "file" / "abc").save(state())
