"""The domain: a gallery of images that can be added to, changed and removed from. No HTTP."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import structlog

from app.bundle.encoder import Vectors
from app.errors import (
    GemelloError,
    ImageConflict,
    ImageError,
    ImageNotFound,
    ParameterInvalid,
)
from app.gallery.metadata import check_metadata, merged
from app.images.prepare import PreparedImage
from app.inference.decode_pool import DecodePool
from app.inference.reembedding import Reembedder
from app.inference.served_model import Active, Live
from app.storage.filters import Filter
from app.storage.local.blobs import BlobStore, sha256
from app.storage.local.catalog import Catalog, ImageRecord, Summary
from app.telemetry.metrics import Metrics

log = structlog.get_logger()

OnConflict = Literal["skip", "replace", "error"]
Status = Literal["created", "replaced", "skipped", "failed"]

DEFAULT_ID_LENGTH = 32
"""Hex digits of the SHA-256 that make an id: 128 bits, so that nobody can make two collide."""


@dataclass(frozen=True, slots=True)
class NewImage:
    """An image to add: its bytes, and what the caller says of it.

    ``vector`` float32 [D] is what the model ``model_id`` made of it, where that is known already.
    """

    data: bytes
    id: str | None = None
    filename: str | None = None
    label: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    vector: Vectors | None = None
    model_id: str | None = None


@dataclass(frozen=True, slots=True)
class AddResult:
    """What became of one new image; ``error`` is set when ``status`` is ``failed``."""

    status: Status
    id: str | None = None
    error: GemelloError | None = None


class Gallery:
    """A gallery on this machine: SQLite, files, and an index in memory.

    Durable order of a write: file, database, index, answer. Writes take turns; searches do not
    wait for them.
    """

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        active: Active,
        decoder: DecodePool,
        metrics: Metrics,
    ) -> None:
        self._catalog, self._blobs, self._active = catalog, blobs, active
        self._decoder, self._metrics = decoder, metrics
        self._reembedder = Reembedder(catalog, blobs, decoder)
        self._writing = threading.RLock()

    def load(self) -> int:
        """Bring memory in line with the disk; return how many images had to be embedded again.

        Vectors come from the catalog; images without one of this model are embedded from their
        stored bytes; files that no record needs are removed.
        """
        live = self._active.live
        with self._writing:
            self._collect()
            embedded = sum(chunk.embedded for chunk in self._reembedder.missing(live.batcher))
            self._fill(live)
        return embedded

    def _collect(self) -> None:
        """Remove files that no record needs; where there is no record at all, a record may be lost."""
        digests = self._catalog.digests()
        if digests:
            self._blobs.collect(digests)
        elif self._blobs.holds_images():
            log.warning("stored images have no record; they are left where they are")

    def switch(self, new: Live, remember: Callable[[], None]) -> None:
        """Let the model of ``new``, whose index is empty, answer from now on.

        Images that it does not know are embedded first, so most should be before; writes wait
        meanwhile, searches do not. ``remember`` writes the choice down once nothing can go wrong.
        Raises ``Overloaded`` when too busy, and then nothing has changed.
        """
        with self._writing:
            for _ in self._reembedder.missing(new.batcher):
                pass
            self._fill(new)
            remember()
            self._active.swap(new)

    def _fill(self, live: Live) -> None:
        encoder = live.encoder
        for ids, vectors in self._catalog.vectors(encoder.model_id, encoder.dimension):
            live.index.add(ids, vectors)

    def __len__(self) -> int:
        return len(self._active.live.index)

    def add(self, images: Sequence[NewImage], on_conflict: OnConflict = "skip") -> list[AddResult]:
        """Store images; one result for each, in order. What is reported stored is durable.

        Raises ``Overloaded``, ``StorageFull`` or ``StorageUnavailable`` for the call as a whole,
        and then nothing of it was stored.
        """
        while True:
            with self._active.use() as live:
                results = self._add(live, images, on_conflict)
            # Another model took over while they were embedded: its vectors are wanted.
            if results is not None:
                break
        self._metrics.images_added.inc(sum(r.status == "created" for r in results))
        return results

    def _add(
        self, live: Live, images: Sequence[NewImage], on_conflict: OnConflict
    ) -> list[AddResult] | None:
        """None when ``live`` is no longer the model that answers, and nothing was stored."""
        with self._metrics.stage("decode"):
            prepared = self._decoder.prepare([i.data for i in images], live.encoder.input_size)
        good = [p for p in prepared if isinstance(p, PreparedImage)]
        if not good:
            return [AddResult("failed", error=p) for p in prepared if isinstance(p, ImageError)]
        vectors = iter(self._vectors(live, images, prepared))
        with self._metrics.stage("store"), self._writing:
            if live is not self._active.live:
                return None
            results: list[AddResult] = []
            plan = _Plan(self._catalog, on_conflict)
            for new, what in zip(images, prepared, strict=True):
                if isinstance(what, ImageError):
                    results.append(AddResult("failed", error=what))
                else:
                    results.append(plan.add(new, what, next(vectors)))
            self._commit(plan, live)
        return results

    def _vectors(
        self,
        live: Live,
        images: Sequence[NewImage],
        prepared: Sequence[PreparedImage | ImageError],
    ) -> list[Vectors]:
        """One for each image that could be decoded; embedded, unless the same model made it."""
        known: list[Vectors | None] = []
        unknown = []
        for new, what in zip(images, prepared, strict=True):
            if isinstance(what, ImageError):
                continue
            same = new.model_id == live.encoder.model_id
            known.append(new.vector if same else None)
            if known[-1] is None:
                unknown.append(what.pixels)
            elif known[-1].shape != (live.encoder.dimension,):
                raise ParameterInvalid(
                    "embeddings", f"expected {live.encoder.dimension} numbers for each image"
                )
        with self._metrics.stage("embed"):
            made = iter(live.batcher.embed(np.stack(unknown)) if unknown else ())
        return [next(made) if vector is None else vector for vector in known]

    def _commit(self, plan: "_Plan", live: Live) -> None:
        if not plan.writes:
            return
        records = [write.record for write in plan.writes.values()]
        vectors = np.stack([write.vector for write in plan.writes.values()])
        try:
            for write in plan.writes.values():
                self._blobs.put(write.data)
        except GemelloError:
            self._drop_unused([record.sha256 for record in records])
            raise
        # After a commit that failed nothing is dropped: what the database wrote before it failed may
        # still count at the next start, and would then need these files. What it does not need is
        # collected there.
        self._catalog.put(records, vectors, live.encoder.model_id)
        live.index.add(list(plan.writes), vectors)
        self._drop_unused(plan.replaced)

    def summary(self) -> Summary:
        """Counts over all stored images."""
        return self._catalog.summary()

    def get(self, image_id: str) -> ImageRecord:
        """Raises ``ImageNotFound``."""
        record = self._catalog.get([image_id]).get(image_id)
        if record is None:
            raise ImageNotFound(image_id)
        return record

    def records(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        """The records of those ids that exist."""
        return self._catalog.get(ids)

    def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        """A record and the bytes as they were uploaded. Raises ``ImageNotFound``."""
        record = self.get(image_id)
        return record, self._blobs.get(record.sha256)

    def thumbnail(self, image_id: str, side: int) -> tuple[ImageRecord, bytes]:
        """A record and a small WebP of its image, at most ``side`` pixels wide and high.

        Raises ``ImageNotFound``, or ``Overloaded`` when too many images are being decoded.
        """
        record, data = self.image(image_id)
        return record, self._decoder.thumbnail(data, side)

    def list_images(
        self, after: int = 0, limit: int = 100, wanted: Filter | None = None
    ) -> list[ImageRecord]:
        """Records in order of arrival, beyond the position ``after``: those ``wanted`` holds for."""
        return self._catalog.page(after, limit, wanted)

    def update(self, image_id: str, changes: Mapping[str, Any]) -> ImageRecord:
        """Change ``label`` and ``metadata``, where given; the vector stays. Durable once it returns.

        Metadata are merged: a key that is None goes, one that is not named stays (RFC 7396).
        Raises ``ImageNotFound``, or ``ParameterInvalid`` when too much would be kept.
        """
        with self._writing:
            record = self.get(image_id)
            label = changes.get("label", record.label)
            metadata = check_metadata(merged(record.metadata, changes.get("metadata", {})))
            self._catalog.describe(image_id, label, metadata)
        return replace(record, label=label, metadata=metadata)

    def remove(self, image_id: str) -> None:
        """Forget an image and its bytes. Raises ``ImageNotFound`` or ``StorageUnavailable``."""
        with self._writing:
            self.get(image_id)
            self._remove([image_id])

    def remove_where(self, wanted: Filter) -> int:
        """Forget all images that ``wanted`` holds for, at once; return how many."""
        with self._writing:
            ids = self._catalog.matching(wanted)
            self._remove(ids)
        return len(ids)

    def _remove(self, ids: Sequence[str]) -> None:
        records = self._catalog.get(ids)
        self._catalog.delete(ids)
        self._active.live.index.remove(ids)
        self._drop_unused([record.sha256 for record in records.values()])
        self._metrics.images_removed.inc(len(ids))

    def _drop_unused(self, digests: Sequence[str]) -> None:
        # What cannot be removed now is collected at the next start.
        with contextlib.suppress(GemelloError):
            for digest in digests:
                if not self._catalog.uses(digest):
                    self._blobs.delete(digest)


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
