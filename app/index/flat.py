"""The exact Euclidean index in memory (faiss)."""

import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import faiss
import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from app.index.vector_index import Selection

# Neighbours fetched beyond k, so that ties at the k-th place are all seen before they are ordered.
_MARGIN = 16
# faiss sums squares in float32; two distances closer than this, relative, may come in either order.
_TOLERANCE = 1e-5


class FlatIndex:
    """Exact search over vectors in memory, 4·D bytes each."""

    def __init__(self, dimension: int) -> None:
        self._dimension = dimension
        self._index = faiss.IndexFlatL2(dimension)
        self._ids: list[str] = []
        self._slots: dict[str, int] = {}
        self._allowed_slots: WeakKeyDictionary[Selection, _Allowed] = WeakKeyDictionary()
        # faiss reallocates on add, so a search must not run beside it.
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._ids)

    def add(self, ids: Sequence[str], vectors: Vectors) -> None:
        if vectors.shape != (len(ids), self._dimension):
            raise ValueError(f"expected {(len(ids), self._dimension)}, got {vectors.shape}")
        if len(set(ids)) != len(ids):
            raise ValueError("an id is given twice")
        with self._lock:
            self._remove([image_id for image_id in ids if image_id in self._slots])
            self._slots.update(
                zip(ids, range(len(self._ids), len(self._ids) + len(ids)), strict=True)
            )
            self._allowed_slots.clear()
            self._ids.extend(ids)
            self._index.add(np.ascontiguousarray(vectors, np.float32))

    def remove(self, ids: Collection[str]) -> None:
        with self._lock:
            self._remove([image_id for image_id in set(ids) if image_id in self._slots])

    def within(self, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
        with self._lock:
            known = [image_id for image_id in ids if image_id in self._slots]
            slots = [self._slots[image_id] for image_id in known]
            vectors = self._vectors()
            # faiss takes what is nearer than a limit, in float32: a little more, looked at again.
            slack = _TOLERANCE * max(1.0, radius**2)
            starts, squared, candidates = self._index.range_search(
                vectors[slots], radius**2 + slack
            )
            near: dict[str, list[str]] = {}
            for row, image_id in enumerate(known):
                found = slice(starts[row], starts[row + 1])
                others, sure = candidates[found], squared[found] < radius**2 - slack
                # Most are clearly within: only the others are worth their vectors in float64.
                doubtful = others[~sure]
                difference = vectors[doubtful].astype(np.float64) - vectors[slots[row]].astype(
                    np.float64
                )
                distances = np.sqrt((difference**2).sum(axis=1)).astype(np.float32)
                sure[~sure] = distances <= np.float32(radius)
                sure[others == slots[row]] = False
                near[image_id] = list(map(self._ids.__getitem__, others[sure].tolist()))
            return near

    def get(self, ids: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            vectors = self._vectors()
            return {i: vectors[self._slots[i]].copy() for i in ids if i in self._slots}

    def _remove(self, ids: Sequence[str]) -> None:
        """Fill each hole with the last vector, then cut the end off: no vector moves twice.

        One cut for all, since faiss looks at every vector for each.
        """
        if not ids:
            return
        vectors, before = self._vectors(), len(self._ids)
        for image_id in ids:
            slot, last = self._slots.pop(image_id), len(self._ids) - 1
            if slot != last:
                vectors[slot] = vectors[last]
                self._ids[slot] = self._ids[last]
                self._slots[self._ids[slot]] = slot
            self._ids.pop()
        self._index.remove_ids(faiss.IDSelectorRange(len(self._ids), before))
        self._allowed_slots.clear()

    def _vectors(self) -> Vectors:
        """The stored vectors [N, D] without a copy; valid only until the next change."""
        view: Vectors = faiss.rev_swig_ptr(
            self._index.get_xb(), self._index.ntotal * self._dimension
        )
        return view.reshape(self._index.ntotal, self._dimension)

    def search(
        self, queries: Vectors, k: int, allowed: Selection | None = None
    ) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
        if queries.ndim != 2 or queries.shape[1] != self._dimension:
            raise ValueError(f"expected [N, {self._dimension}], got {queries.shape}")
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        with self._lock:
            slots = None if allowed is None else self._slots_of(allowed)
            count = min(k, len(self._ids) if slots is None else slots.count)
            rows = [self._search_one(query, count, slots) for query in queries]
        distances = np.array([d for _, d in rows], np.float32).reshape(len(rows), count)
        return [ids for ids, _ in rows], distances

    def _slots_of(self, allowed: Selection) -> "_Allowed":
        slots = self._allowed_slots.get(allowed)
        if slots is None:
            known = (self._slots.get(image_id) for image_id in allowed.ids)
            mask = np.zeros(len(self._ids), bool)
            mask[[slot for slot in known if slot is not None]] = True
            slots = _Allowed(int(mask.sum()), np.packbits(mask, bitorder="little"))
            self._allowed_slots[allowed] = slots
        return slots

    def _search_one(
        self, query: Vectors, count: int, slots: "_Allowed | None"
    ) -> tuple[list[str], npt.NDArray[np.float64]]:
        """faiss finds candidates; their distances are taken again in float64, and ties ordered."""
        if count == 0:
            return [], np.empty(0)
        available, parameters = len(self._ids), None
        if slots is not None:
            # faiss reads the bitmap and the selector in place: both must outlive the search.
            available = slots.count
            selector = faiss.IDSelectorBitmap(len(self._ids), faiss.swig_ptr(slots.bitmap))
            parameters = faiss.SearchParameters()
            parameters.sel = selector
        fetch = min(count + _MARGIN, available)
        while True:
            squared, positions = self._index.search(query[None], fetch, params=parameters)
            limit = squared[0, count - 1]
            if fetch == available or squared[0, -1] > limit + _TOLERANCE * max(1.0, limit):
                break
            fetch = min(2 * fetch, available)
        chosen = positions[0]
        difference = self._vectors()[chosen].astype(np.float64) - query.astype(np.float64)
        distances = np.sqrt((difference**2).sum(axis=1))
        order = sorted(range(len(chosen)), key=lambda i: (distances[i], self._ids[int(chosen[i])]))[
            :count
        ]
        return [self._ids[int(chosen[i])] for i in order], distances[order]


@dataclass(frozen=True, slots=True)
class _Allowed:
    """How many of a selection's ids there are, and a bit for each slot: whether it is one of them."""

    count: int
    bitmap: npt.NDArray[np.uint8]
