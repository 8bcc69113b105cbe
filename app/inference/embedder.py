"""The one way from images, uploaded or stored, to vectors."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from app.bundle.encoder import Vectors
from app.errors import ImageError, ImageNotFound, ImageUndecodable, StorageUnavailable
from app.images.box import Box
from app.images.prepare import PreparedImage
from app.inference.decode_pool import DecodePool
from app.inference.failures import as_result
from app.inference.served_model import ServedModel
from app.storage.records import ImageRecord
from app.storage.stores import Stores
from app.telemetry.metrics import Metrics


@dataclass(frozen=True, slots=True)
class Embedded:
    """An upright image's size and type, and its vectors float32 [1, D]; with its mirror's, [2, D]."""

    width: int
    height: int
    media_type: str
    vectors: Vectors


class Embedder:
    """Decodes and embeds; what cannot be decoded is a result among the others."""

    def __init__(self, stores: Stores, decoder: DecodePool, metrics: Metrics) -> None:
        self._stores, self._decoder, self._metrics = stores, decoder, metrics

    def embed(
        self,
        model: ServedModel,
        images: Sequence[bytes | str],
        *,
        box: Box | None = None,
        flip: bool = False,
    ) -> list[Embedded | ImageError]:
        """Return one result for each image, given by its bytes or by the id of a stored one.

        With ``box`` only that part of each image is looked at; with ``flip`` its mirror image is
        embedded as well. Raises ``ImageNotFound`` for an unknown id, ``StorageUnavailable`` when a
        stored image cannot be read, ``Overloaded`` when too busy.
        """
        ids = [image for image in images if isinstance(image, str)]
        records = self._stores.gallery.get(ids)
        for image_id in ids:
            if image_id not in records:
                raise ImageNotFound(image_id)
        # A stored image's vector is at hand, unless another view of it is wanted.
        stored = {} if box or flip or not ids else self._stores.gallery.vectors(model.id, ids)
        results: dict[int, Embedded | ImageError] = {}
        uploads: dict[int, bytes] = {}
        for index, image in enumerate(images):
            if isinstance(image, bytes):
                uploads[index] = image
            elif image in stored:
                results[index] = _stored(records[image], stored[image])
            else:
                uploads[index] = self._stores.blobs.get(records[image].sha256)
        embedded = self.embed_bytes(model, list(uploads.values()), box=box, flip=flip)
        results |= zip(uploads, embedded, strict=True)
        return [results[index] for index in range(len(images))]

    def embed_records(
        self, model: ServedModel, records: Sequence[ImageRecord]
    ) -> list[Embedded | ImageError]:
        """Return one result for each stored image, from its bytes; one that is damaged is an error."""
        readable: dict[int, bytes] = {}
        results: dict[int, Embedded | ImageError] = {}
        for index, record in enumerate(records):
            try:
                readable[index] = self._stores.blobs.get(record.sha256)
            except StorageUnavailable as exc:
                results[index] = ImageUndecodable(exc.reason)
        results |= zip(readable, self.embed_bytes(model, list(readable.values())), strict=True)
        return [results[index] for index in range(len(records))]

    def embed_bytes(
        self,
        model: ServedModel,
        images: Sequence[bytes],
        *,
        known: Mapping[int, Vectors] | None = None,
        box: Box | None = None,
        flip: bool = False,
    ) -> list[Embedded | ImageError]:
        """Return one result for each image; ``known`` has vectors float32 [D] by index, from the model.

        An image whose vector is known is decoded all the same: what is stored must be an image.
        Raises ``Overloaded`` when too busy.
        """
        with self._metrics.stage("decode"):
            encoder = model.encoder
            prepared = self._decoder.prepare(images, encoder.input_size, encoder.resize, box)
        known = known or {}
        unknown = [
            image.pixels
            for index, image in enumerate(prepared)
            if isinstance(image, PreparedImage) and index not in known
        ]
        vectors = iter(self._infer(model, np.stack(unknown), flip) if unknown else ())
        return [
            as_result(image)
            if isinstance(image, ImageError)
            else Embedded(
                image.width,
                image.height,
                image.media_type,
                known[index][None] if index in known else next(vectors),
            )
            for index, image in enumerate(prepared)
        ]

    def _infer(self, model: ServedModel, pixels: np.ndarray, flip: bool) -> Vectors:
        """uint8 [N, S, S, 3] → float32 [N, views, D]."""
        views = np.stack([pixels, pixels[:, :, ::-1]], axis=1) if flip else pixels[:, None]
        with self._metrics.stage("embed"):
            flat = model.batcher.embed(views.reshape(-1, *pixels.shape[1:]))
        return flat.reshape(len(pixels), views.shape[1], -1)


def _stored(record: ImageRecord, vector: Vectors) -> Embedded:
    return Embedded(record.width, record.height, record.media_type, vector[None])
