"""Gives stored images the vectors of a model that does not know them yet.

An adapted model's are mapped from its base's, where those are stored; all others are made from the
images' own bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import structlog

from app.bundle.adapted import BaseMap
from app.errors import GemelloError, ImageError
from app.inference.embedder import Embedded, Embedder
from app.inference.served_model import ServedModel
from app.storage.gallery_store import GalleryStore
from app.storage.records import ImageRecord

log = structlog.get_logger()

_CHUNK = 32
# Vectors are mapped in one product, and written in one transaction.
_MAPPED = 1024


@dataclass(frozen=True, slots=True)
class Chunk:
    """How many images got a vector, and those that could not be read any more."""

    done: int
    failed: list[tuple[ImageRecord, GemelloError]]


class Reembedder:
    def __init__(self, store: GalleryStore, embedder: Embedder) -> None:
        self._store, self._embedder = store, embedder

    def missing(self, model: ServedModel) -> Iterator[Chunk]:
        """Give the images that have no vector of ``model`` one, some at a time, durably.

        One damaged file must not keep the others from being found; it is named in the log. Raises
        ``Overloaded`` when too busy, and can then be called again.
        """
        if model.base:
            yield from self._mapped(model.id, model.base)
        after = 0
        while records := self._store.without_vector(model.id, after, _CHUNK):
            results = list(zip(records, self._embedder.embed_records(model, records), strict=True))
            good = [(record, image) for record, image in results if isinstance(image, Embedded)]
            failed = [(record, error) for record, error in results if isinstance(error, ImageError)]
            if good:
                vectors = np.concatenate([image.vectors for _, image in good])
                self._store.put_vectors([record for record, _ in good], vectors, model.id)
            for record, error in failed:
                log.error("image cannot be searched", id=record.id, reason=str(error))
            after = records[-1].position
            yield Chunk(len(good), [(record, error) for record, error in failed])

    def _mapped(self, model_id: str, base: BaseMap) -> Iterator[Chunk]:
        after = 0
        while records := self._store.without_vector(model_id, after, _MAPPED):
            known = self._store.vectors(base.base_id, [record.id for record in records])
            mapped = [record for record in records if record.id in known]
            if mapped:
                vectors = base.linear(np.stack([known[record.id] for record in mapped]))
                self._store.put_vectors(mapped, vectors, model_id)
            after = records[-1].position
            yield Chunk(len(mapped), [])
