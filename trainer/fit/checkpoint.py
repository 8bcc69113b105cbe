"""A run's state on disk after every epoch, so that an interruption loses one epoch at most."""

import json
import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np

from app.bundle.model_store import sync
from trainer.errors import DataError

Weights = list[np.ndarray[Any, Any]]
# Raised when what a state holds changes: one of another format is not resumed.
STATE_FORMAT = 4
_DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    zipfile.BadZipFile,
)


@dataclass(frozen=True, slots=True)
class State:
    """``arrays`` by name (trained variables, optimiser, averages, best), ``values`` as JSON."""

    arrays: dict[str, Weights]
    values: dict[str, Any]


class Checkpoint:
    """The state of one run: the same data, configuration and name find it again.

    Of several workers one alone ``writes``; the others read what it wrote.
    """

    def __init__(self, folder: Path, *, writes: bool = True) -> None:
        self.folder, self._writes = folder, writes
        self._old = folder.with_name(f".{folder.name}-old")

    def save(self, state: State) -> None:
        """Write the state aside, flush it, and rename it: a crash leaves the state before or after.

        Raises ``DataError`` when the disk is full or may not be written to.
        """
        if not self._writes:
            return
        scratch = self.folder.with_name(f".{self.folder.name}-{uuid4().hex}")
        try:
            scratch.mkdir(parents=True)
            for name, weights in state.arrays.items():
                np.savez(scratch / f"{name}.npz", *weights)
            document = {
                "format": STATE_FORMAT,
                "arrays": sorted(state.arrays),
                "facts": state.values,
            }
            (scratch / "facts.json").write_text(json.dumps(document))
            for path in (*scratch.iterdir(), scratch):
                sync(path)
            # A folder cannot be renamed over another: the old one steps aside first. Until the new
            # one is in its place, it is all that there is.
            if self.folder.exists():
                shutil.rmtree(self._old, ignore_errors=True)
                self.folder.rename(self._old)
            scratch.rename(self.folder)
            sync(self.folder.parent)
            shutil.rmtree(self._old, ignore_errors=True)
        except OSError as exc:
            raise DataError(
                f"The run's state cannot be written to {self.folder.parent} ({exc.strerror}); "
                "name another folder with --cache."
            ) from exc
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def load(self) -> State | None:
        """Return the last state; None when there is none, or one that another version of Gemello wrote.

        Raises ``DataError`` when it is damaged.
        """
        folder = self.folder if self.folder.exists() else self._old
        if not folder.exists():
            return None
        try:
            document = json.loads((folder / "facts.json").read_text())
            if document.get("format") != STATE_FORMAT:
                return None
            arrays = {name: _read(folder / f"{name}.npz") for name in document["arrays"]}
            return State(arrays, document["facts"])
        except _DAMAGED as exc:
            raise DataError(
                f"The saved state in {folder} is damaged ({exc}); train again without --resume."
            ) from exc

    def clear(self) -> None:
        """Remove the state, and what a run left that was killed while it wrote."""
        if not self._writes:
            return
        for folder in (self.folder, *self.folder.parent.glob(f".{self.folder.name}-*")):
            shutil.rmtree(folder, ignore_errors=True)


def _read(path: Path) -> Weights:
    # NumPy leaves a file open that is not an archive.
    with path.open("rb") as stream, np.load(stream) as stored:
        return [stored[f"arr_{i}"] for i in range(len(stored.files))]
