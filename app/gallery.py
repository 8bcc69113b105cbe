"""The domain: a gallery of images that can be added to, removed from and searched. No HTTP."""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import structlog

from app.batching import Batcher
from app.blobs import BlobStore, sha256
from app.catalog import Catalog, ImageRecord
from app.decoding import DecodePool
from app.encoder import Vectors
from app.errors import (
    GemelloError,
    ImageConflict,
    ImageError,
    ImageNotFound,
    ImageUndecodable,
    StorageUnavailable,
)
from app.images import Pixels, PreparedImage
from app.index import VectorIndex
from app.metrics import Metrics

log = structlog.get_logger()

OnConflict = Literal["skip", "replace", "error"]
Status = Literal["created", "replaced", "skipped", "failed"]

DEFAULT_ID_LENGTH = 32
"""Hex digits of the SHA-256 that make an id: 128 bits, so that nobody can make two collide."""
_REEMBED_CHUNK = 32


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to add: its bytes, and what the caller says of it."""

    data: bytes
    id: str | None = None
    filename: str | None = None
    label: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of one new image; ``error`` is set when ``status`` is ``failed``."""

    status: Status
    id: str | None = None
    error: GemelloError | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A search result: the image and its Euclidean distance from the query; rank from 1."""

    rank: int
    distance: float
    image: ImageRecord


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of the sorted gallery; ``next_offset`` is None on the last one."""

    query: PreparedImage
    matches: list[Match]
    total: int
    offset: int
    next_offset: int | None


class Gallery:
    """A gallery on this machine: SQLite, files, and an index in memory.

    Durable order of a write: file, database, index, answer. Writes take turns; searches do not
    wait for them.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        index: VectorIndex,
        batcher: Batcher,
        decoder: DecodePool,
        metrics: Metrics,
    ) -> None:
        self._catalog, self._blobs, self._index = catalog, blobs, index
        self._batcher, self._decoder, self._metrics = batcher, decoder, metrics
        self._writing = threading.RLock()

    def load(self) -> int:
        """Bring memory in line with the disk; return how many images had to be embedded again.

        Vectors come from the catalog; images without one of this model are embedded from their
        stored bytes; files that no record needs are removed.
        """
        encoder = self._batcher.encoder
        with self._writing:
            self._blobs.collect(self._catalog.digests())
            embedded = self._embed_missing()
            for ids, vectors in self._catalog.vectors(encoder.model_id, encoder.dimension):
                self._index.add(ids, vectors)
        return embedded

    def _embed_missing(self) -> int:
        encoder, count, after = self._batcher.encoder, 0, 0
        while records := self._catalog.without_vector(encoder.model_id, after, _REEMBED_CHUNK):
            after = records[-1].position
            good = [
                (record, pixels)
                for record in records
                if (pixels := self._stored_pixels(record)) is not None
            ]
            if good:
                vectors = self._batcher.embed(np.stack([pixels for _, pixels in good]))
                positions = [record.position for record, _ in good]
                self._catalog.put_vectors(positions, vectors, encoder.model_id)
            count += len(good)
        return count

    def _stored_pixels(self, record: ImageRecord) -> Pixels | None:
        """One damaged file must not keep the others from being found; it is named in the log."""
        try:
            (prepared,) = self._decoder.prepare(
                [self._blobs.get(record.sha256)], self._batcher.encoder.input_size
            )
        except StorageUnavailable as exc:
            prepared = ImageUndecodable(exc.reason)
        if isinstance(prepared, ImageError):
            log.error("image cannot be searched", id=record.id, reason=str(prepared))
            return None
        return prepared.pixels

    def __len__(self) -> int:
        return len(self._index)

    def add(self, images: Sequence[NewImage], on_conflict: OnConflict = "skip") -> list[AddResult]:
        """Store images; one result for each, in order. What is reported stored is durable.

        Raises ``Overloaded``, ``StorageFull`` or ``StorageUnavailable`` for the call as a whole,
        and then nothing of it was stored.
        """
        encoder = self._batcher.encoder
        with self._metrics.stage("decode"):
            prepared = self._decoder.prepare([i.data for i in images], encoder.input_size)
        good = [p for p in prepared if isinstance(p, PreparedImage)]
        if not good:
            return [AddResult("failed", error=p) for p in prepared if isinstance(p, ImageError)]
        with self._metrics.stage("embed"):
            vectors = iter(self._batcher.embed(np.stack([p.pixels for p in good])))
        with self._metrics.stage("store"), self._writing:
            results: list[AddResult] = []
            plan = _Plan(self._catalog, on_conflict)
            for new, what in zip(images, prepared, strict=True):
                if isinstance(what, ImageError):
                    results.append(AddResult("failed", error=what))
                else:
                    results.append(plan.add(new, what, next(vectors)))
            self._commit(plan, encoder.model_id)
        self._metrics.images_added.inc(sum(r.status == "created" for r in results))
        return results

    def _commit(self, plan: "_Plan", model_id: str) -> None:
        if not plan.writes:
            return
        records = [write.record for write in plan.writes.values()]
        vectors = np.stack([write.vector for write in plan.writes.values()])
        try:
            for write in plan.writes.values():
                self._blobs.put(write.data)
            self._catalog.put(records, vectors, model_id)
        except GemelloError:
            self._drop_unused([record.sha256 for record in records])
            raise
        self._index.add(list(plan.writes), vectors)
        self._drop_unused(plan.replaced)

    def get(self, image_id: str) -> ImageRecord:
        """Raises ``ImageNotFound``."""
        record = self._catalog.get([image_id]).get(image_id)
        if record is None:
            raise ImageNotFound(image_id)
        return record

    def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        """A record and the bytes as they were uploaded. Raises ``ImageNotFound``."""
        record = self.get(image_id)
        return record, self._blobs.get(record.sha256)

    def list_images(self, after: int = 0, limit: int = 100) -> list[ImageRecord]:
        """Records in order of arrival, those after the position ``after``."""
        return self._catalog.page(after, limit)

    def remove(self, image_id: str) -> None:
        """Forget an image and its bytes. Raises ``ImageNotFound`` or ``StorageUnavailable``."""
        with self._writing:
            record = self.get(image_id)
            self._catalog.delete(image_id)
            self._index.remove([image_id])
            self._drop_unused([record.sha256])
        self._metrics.images_removed.inc()

    def _drop_unused(self, digests: Sequence[str]) -> None:
        # What cannot be removed now is collected at the next start.
        with contextlib.suppress(GemelloError):
            for digest in digests:
                if not self._catalog.uses(digest):
                    self._blobs.delete(digest)

    def search(self, data: bytes, top_k: int = 10, offset: int = 0) -> SearchPage:
        """The gallery sorted by distance from an image, ``top_k`` entries from ``offset`` on.

        Raises an ``ImageError`` when ``data`` is no image, ``Overloaded`` when too busy.
        """
        encoder = self._batcher.encoder
        with self._metrics.stage("decode"):
            (prepared,) = self._decoder.prepare([data], encoder.input_size)
        if isinstance(prepared, ImageError):
            raise prepared
        with self._metrics.stage("embed"):
            query = self._batcher.embed(prepared.pixels[None])
        with self._metrics.stage("search"):
            return self._page(prepared, query, top_k, offset)

    def _page(self, prepared: PreparedImage, query: Vectors, k: int, offset: int) -> SearchPage:
        while True:
            total = len(self._index)
            if offset >= total:
                return SearchPage(prepared, [], total, offset, None)
            ids, distances = self._index.search(query, offset + k)
            wanted = ids[0][offset:]
            records = self._catalog.get(wanted)
            # An image removed since the index answered: ask again, so that no page comes short.
            if len(records) == len(wanted):
                break
        matches = [
            Match(rank, float(distance), records[image_id])
            for rank, (image_id, distance) in enumerate(
                zip(wanted, distances[0][offset:], strict=True), start=offset + 1
            )
        ]
        following = offset + len(matches)
        next_offset = following if following < total else None
        return SearchPage(prepared, matches, total, offset, next_offset)


@dataclass(frozen=True, slots=True)
class _Write:
    record: ImageRecord
    vector: Vectors
    data: bytes


class _Plan:
    """Decides what becomes of each new image, before anything is written."""

    def __init__(self, catalog: Catalog, on_conflict: OnConflict) -> None:
        self._catalog, self._on_conflict = catalog, on_conflict
        self.writes: dict[str, _Write] = {}
        self.replaced: list[str] = []
        """SHA-256 of bytes that a stored record will no longer need."""

    def add(self, new: NewImage, prepared: PreparedImage, vector: Vectors) -> AddResult:
        digest = sha256(new.data)
        image_id = new.id or digest[:DEFAULT_ID_LENGTH]
        stored = self._catalog.get([image_id]).get(image_id)
        present = stored is not None or image_id in self.writes
        if present and self._on_conflict == "error":
            return AddResult("failed", image_id, ImageConflict(image_id))
        if present and self._on_conflict == "skip":
            return AddResult("skipped", image_id)
        if stored is not None:
            self.replaced.append(stored.sha256)
        record = ImageRecord(
            id=image_id,
            sha256=digest,
            filename=new.filename,
            label=new.label,
            metadata=new.metadata,
            width=prepared.width,
            height=prepared.height,
            media_type=prepared.media_type,
            bytes=len(new.data),
        )
        self.writes[image_id] = _Write(record, vector, new.data)
        return AddResult("replaced" if present else "created", image_id)
