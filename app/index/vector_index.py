"""The VectorIndex protocol: the nearest vectors by Euclidean distance."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Selection:
    """The only ids that a search may find.

    To look many of them up takes longer than a search: an index does it once for the same object,
    until it changes itself.
    """

    ids: Collection[str]


class VectorIndex(Protocol):
    """Finds the nearest vectors by Euclidean distance. Safe to call from threads."""

    def __len__(self) -> int: ...

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Add float32 [N, D]; an id that is already there gets the new vector."""
        ...

    def remove(self, ids: Collection[str]) -> None:
        """Remove ids; unknown ones are ignored."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, Vectors]:
        """Return a copy of the vector of each id that is there."""
        ...

    def within(self, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
        """Return for each id that is there the others whose vectors are no farther than ``radius``."""
        ...

    def search(
        self, queries: Vectors, k: int, allowed: Selection | None = None
    ) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
        """Return the k nearest of each query, ascending by distance, ties by id.

        ``queries`` is float32 [N, D]; ``allowed`` limits the answer to those ids. Every row has
        min(k, number of allowed vectors) entries: ids, and float32 distances [N, that many].
        """
        ...
