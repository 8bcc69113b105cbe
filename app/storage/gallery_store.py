"""The protocol behind which records, vectors and the order of distance lie."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from app.storage.damage import Damage
from app.storage.filters import Filter, Scalar
from app.storage.records import ImageRecord, Summary


class GalleryStore(Protocol):
    """Records of images, their vectors by model, and nearest neighbours. Safe to call from threads.

    What a call wrote is durable, and seen by every later call, once it returns. Filters come as trees
    (``app.storage.filters``), so that an engine can apply them where its data lies. Each method may
    raise ``StorageUnavailable``; those that write may raise ``StorageFull``.
    """

    @property
    def generation(self) -> int:
        """Counts the changes of records, so that what was computed from them can be remembered."""
        ...

    def put(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        """Store records and their vectors float32 [N, D], all or nothing; a known id is replaced.

        A replaced image keeps its position; its vectors of other models are dropped.
        """
        ...

    def put_vectors(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        """Store further vectors of images that are there, all or nothing.

        An image that was removed or replaced since its record was read gets none.
        """
        ...

    def describe(self, image_id: str, label: str | None, metadata: dict[str, Any]) -> None:
        """Give an image another label and other metadata; an unknown id is ignored."""
        ...

    def delete(self, ids: Sequence[str]) -> None:
        """Remove images and their vectors, all or nothing; unknown ids are ignored."""
        ...

    def get(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        """Return the records of those ids that exist."""
        ...

    def page(self, after: int, limit: int, where: Filter | None = None) -> list[ImageRecord]:
        """Return up to ``limit`` records beyond the position ``after``, in order of position."""
        ...

    def sample(self, count: int) -> list[ImageRecord]:
        """Return about ``count`` records from all over the gallery in random order, or all if fewer.

        The same while the gallery stays the same. The effort must not grow with the gallery.
        """
        ...

    def count(self, where: Filter | None = None) -> int:
        """Return how many images there are, or for how many of them ``where`` holds."""
        ...

    def summary(self) -> Summary:
        """Return counts over all records."""
        ...

    def values_of(self, key: str, ids: Sequence[str]) -> dict[str, Scalar]:
        """Return what those images have under a filter's ``key``: of several values the least.

        Numbers come before text, text before booleans. An image without a value is left out.
        """
        ...

    def used(self, digests: Sequence[str]) -> set[str]:
        """Return those of ``digests`` (SHA-256) that some record needs."""
        ...

    def without_vector(self, model_id: str, after: int, limit: int) -> list[ImageRecord]:
        """Return up to ``limit`` records beyond the position ``after`` without a vector of the model."""
        ...

    def keep_vectors(self, *model_ids: str) -> None:
        """Drop the vectors of all other models."""
        ...

    def load(self, model_id: str, dimension: int) -> None:
        """Make the model's vectors searchable: those stored, and all that are stored from now on.

        A damaged vector is dropped, so that ``without_vector`` names its image. May be called again; each call wants an ``unload`` of its own.
        """
        ...

    def unload(self, model_id: str) -> None:
        """Take back one ``load``; after the last the model's vectors need not be in memory."""
        ...

    def searchable(self, model_id: str) -> int:
        """Return how many images a search with the loaded model can find."""
        ...

    def vectors(self, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
        """Return the vector float32 [D] of each of those ids that the model, loaded or not, has one of."""
        ...

    def nearest(
        self, model_id: str, queries: Vectors, k: int, where: Filter | None = None
    ) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
        """Return the ``k`` nearest of each query: an exact prefix of the whole order.

        ``queries`` is float32 [N, D]. Each row has min(k, number of images that ``where`` allows)
        ids, ascending by Euclidean distance, ties by id; the distances are float32 [N, that many].
        """
        ...

    def within(self, model_id: str, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
        """Return for each of ``ids`` the others whose vectors are no farther than ``radius``."""
        ...

    def check(self, stopping: Callable[[], bool]) -> Iterator[Damage | None]:
        """Look at all that is stored, and mend what can be mended; yield what was found damaged.

        That includes what other calls have met. None is yielded after each piece of work, for the
        caller to take its time; ``stopping`` ends a long one where it returns True.
        """
        ...
