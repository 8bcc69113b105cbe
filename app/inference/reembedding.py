"""Gives stored images the vectors of a model that does not know them yet, from their own bytes."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import structlog

from app.errors import GemelloError, ImageError, ImageUndecodable, StorageUnavailable
from app.images.prepare import PreparedImage
from app.inference.batcher import Batcher
from app.inference.decode_pool import DecodePool
from app.storage.local.blobs import BlobStore
from app.storage.local.catalog import Catalog, ImageRecord

log = structlog.get_logger()

_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Chunk:
    """How many images got a vector, and those that could not be read any more."""

    embedded: int
    failed: list[tuple[ImageRecord, GemelloError]]


class Reembedder:
    def __init__(self, catalog: Catalog, blobs: BlobStore, decoder: DecodePool) -> None:
        self._catalog, self._blobs, self._decoder = catalog, blobs, decoder

    def missing(self, batcher: Batcher) -> Iterator[Chunk]:
        """Embed the images that have no vector of the batcher's model, some at a time, durably.

        One damaged file must not keep the others from being found; it is named in the log. Raises
        ``Overloaded`` when too busy, and can then be called again.
        """
        model_id, after = batcher.encoder.model_id, 0
        while records := self._catalog.without_vector(model_id, after, _CHUNK):
            seen = [(record, self._look(record, batcher.encoder.input_size)) for record in records]
            good = [(r, image) for r, image in seen if isinstance(image, PreparedImage)]
            failed = [(r, image) for r, image in seen if isinstance(image, ImageError)]
            if good:
                vectors = batcher.embed(np.stack([image.pixels for _, image in good]))
                self._catalog.put_vectors([record for record, _ in good], vectors, model_id)
            for record, error in failed:
                log.error("image cannot be searched", id=record.id, reason=str(error))
            after = records[-1].position
            yield Chunk(len(good), [(record, error) for record, error in failed])

    def _look(self, record: ImageRecord, size: int) -> PreparedImage | ImageError:
        try:
            (image,) = self._decoder.prepare([self._blobs.get(record.sha256)], size)
        except StorageUnavailable as exc:
            return ImageUndecodable(exc.reason)
        return image
