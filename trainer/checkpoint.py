"""A run's state on disk after every epoch, so that an interruption loses one epoch at most."""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from trainer.errors import DataError

Weights = list[np.ndarray[Any, Any]]


@dataclass(frozen=True, slots=True)
class State:
    """``arrays`` by name (trained variables, optimisers, averages, best), ``facts`` as JSON."""

    arrays: dict[str, Weights]
    facts: dict[str, Any]


class Checkpoint:
    """The state of one run: the same data, configuration and name find it again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(self, state: State) -> None:
        """Written aside, flushed, and renamed: a crash leaves the state before or after.

        Raises ``DataError`` when the disk is full or may not be written to.
        """
        scratch = self.folder.with_name(f".{self.folder.name}-{uuid4().hex}")
        try:
            scratch.mkdir(parents=True)
            for name, weights in state.arrays.items():
                with (scratch / f"{name}.npz").open("wb") as stream:
                    np.savez(stream, *weights)
                    stream.flush()
                    os.fsync(stream.fileno())
            (scratch / "facts.json").write_text(json.dumps(state.facts))
            # A folder cannot be renamed over another: the old one steps aside first.
            old = self.folder.with_name(f".{self.folder.name}-old")
            shutil.rmtree(old, ignore_errors=True)
            if self.folder.exists():
                self.folder.rename(old)
            scratch.rename(self.folder)
            shutil.rmtree(old, ignore_errors=True)
        except OSError as exc:
            raise DataError(
                f"The run's state cannot be written to {self.folder.parent} ({exc.strerror}); "
                "name another folder with --cache."
            ) from exc
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def load(self) -> State | None:
        """The last state; None when there is none. Raises ``DataError`` when it is damaged."""
        old = self.folder.with_name(f".{self.folder.name}-old")
        folder = self.folder if self.folder.exists() else old
        if not folder.exists():
            return None
        try:
            facts = json.loads((folder / "facts.json").read_text())
            arrays = {path.stem: _read(path) for path in sorted(folder.glob("*.npz"))}
        except (OSError, ValueError, EOFError) as exc:
            raise DataError(
                f"The saved state in {folder} is damaged ({exc}); train again without --resume."
            ) from exc
        return State(arrays, facts)

    def clear(self) -> None:
        for folder in self.folder.parent.glob(f"*{self.folder.name}*"):
            shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path) -> Weights:
    with np.load(path) as stored:
        return [stored[f"arr_{i}"] for i in range(len(stored.files))]
