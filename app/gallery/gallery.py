"""The domain: a gallery of images that can be added to, changed and removed from. No HTTP."""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import structlog

from app.errors import GemelloError, ImageError, ImageNotFound
from app.gallery.given_vectors import GivenVectors
from app.gallery.metadata import check_metadata, merged
from app.gallery.new_image import AddResult, NewImage, OnConflict, Plan
from app.gallery.quota import Quota, Usage
from app.gallery.thumbnails import Thumbnails
from app.inference.decode_pool import DecodePool
from app.inference.embedder import Embedder
from app.inference.reembedding import Reembedder
from app.inference.served_model import ActiveModel, ServedModel
from app.storage.filters import Filter
from app.storage.records import ImageRecord, Summary
from app.storage.stores import Stores
from app.telemetry.metrics import Metrics

log = structlog.get_logger()

QUARANTINE_DAYS = 30
# Stored files whose records are looked up in one call of the store.
_CHUNK = 1000
# Records in memory while all images of a filter are removed.
_REMOVED = 10_000


class Gallery:
    """The images that can be found, on whatever stores.

    Durable order of a write: bytes, then record and vector, then the answer. Writes take turns;
    searches do not wait for them.
    """

    def __init__(
        self,
        *,
        stores: Stores,
        active: ActiveModel,
        embedder: Embedder,
        reembedder: Reembedder,
        decoder: DecodePool,
        metrics: Metrics,
        quota: Quota = Quota(),
        quarantine_days: int = QUARANTINE_DAYS,
    ) -> None:
        """``quarantine_days`` is how long bytes that no record needs are kept."""
        self._quota = quota
        self._used: Usage | None = None
        """What is stored, where there is a quota: counted when it is not known."""
        self._stores, self._active = stores, active
        self._store, self._blobs = stores.gallery, stores.blobs
        self._thumbnails = Thumbnails(stores, decoder)
        self._embedder, self._reembedder = embedder, reembedder
        self._metrics, self._quarantine_days = metrics, quarantine_days
        self._writing = threading.RLock()

    def load(self) -> int:
        """Make all stored images searchable; return how many had to be given a vector.

        Those without one of the model that answers get it (``Reembedder``); bytes that no record needs
        are set aside.
        """
        model = self._active.model
        with self._writing:
            self._store.load(model.id, model.encoder.dimension)
            embedded = sum(chunk.done for chunk in self._reembedder.missing(model))
            self._collect()
        return embedded

    def _collect(self) -> None:
        """Set bytes aside that no record needs, and forget those that were long ago.

        Where there is no record at all, nothing is touched: one may be lost.
        """
        if not self._store.count():
            if next(self._blobs.digests(), None) is not None:
                log.warning("stored images have no record; they are left where they are")
            return
        digests, moved = self._blobs.digests(), 0
        while chunk := list(islice(digests, _CHUNK)):
            for unused in set(chunk) - self._store.used(chunk):
                self._stores.thumbnails.delete(unused)
                self._blobs.quarantine(unused)
                moved += 1
        if moved:
            log.warning("files without a record were set aside", files=moved)
        long_ago = datetime.now(UTC).date() - timedelta(days=self._quarantine_days)
        for item in self._blobs.quarantined():
            # A damaged image that has a record is kept as long as that.
            if item.since < long_ago and not self._store.used([item.digest]):
                self._blobs.discard(item)

    def switch(self, new: ServedModel, remember: Callable[[], None]) -> None:
        """Let ``new`` answer from now on.

        Images that it does not know are embedded first, so most should be before; writes wait
        meanwhile, searches do not. ``remember`` writes the choice down once nothing can go wrong.
        Raises ``Overloaded`` when too busy, and then nothing has changed.
        """
        with self._writing:
            self._store.load(new.id, new.encoder.dimension)
            try:
                for _ in self._reembedder.missing(new):
                    pass
                remember()
            except BaseException:
                self._store.unload(new.id)
                raise
            self._active.swap(new)

    def __len__(self) -> int:
        return self._store.searchable(self._active.model.id)

    def add(self, images: Sequence[NewImage], on_conflict: OnConflict = "skip") -> list[AddResult]:
        """Store images; return one result for each, in order. What is reported stored is durable.

        Raises ``Overloaded``, ``StorageFull`` or ``StorageUnavailable`` for the call as a whole,
        and then nothing of it was stored.
        """
        while True:
            with self._active.use() as model:
                results = self._add(model, images, on_conflict)
            # Another model took over while they were embedded: its vectors are wanted.
            if results is not None:
                break
        self._metrics.images_added.inc(sum(r.status == "created" for r in results))
        return results

    def _add(
        self, model: ServedModel, images: Sequence[NewImage], on_conflict: OnConflict
    ) -> list[AddResult] | None:
        """None when ``model`` is no longer the one that answers, and nothing was stored."""
        given = GivenVectors.of(model, images)
        embedded = self._embedder.embed_bytes(
            model, [new.data for new in images], known=given.trusted
        )
        given.check(embedded)
        with self._metrics.stage("store"), self._writing:
            if model is not self._active.model:
                return None
            if self._quota and self._used is None:
                summary = self._store.summary()
                self._used = Usage(summary.images, summary.bytes)
            plan = Plan(self._store, on_conflict, self._quota, self._used or Usage())
            results = [
                AddResult("failed", error=image)
                if isinstance(image, ImageError)
                else plan.add(new, image)
                for new, image in zip(images, embedded, strict=True)
            ]
            if plan.writes:
                self._used = None
                self._commit(plan, model)
                self._used = plan.used
            self._mend(plan, model)
        return results

    def _mend(self, plan: Plan, model: ServedModel) -> None:
        """Use bytes that are stored already to make good what has been damaged since."""
        for write in plan.known:
            self._blobs.put(write.record.sha256, write.data)
            if not self._store.vectors(model.id, [write.record.id]):
                self._store.put_vectors([write.record], write.vector[None], model.id)

    def _commit(self, plan: Plan, model: ServedModel) -> None:
        writes = list(plan.writes.values())
        records = [write.record for write in writes]
        try:
            for write in writes:
                self._blobs.put(write.record.sha256, write.data)
        except GemelloError:
            self._drop_unused([record.sha256 for record in records])
            raise
        # After a commit that failed nothing is dropped: what the database wrote before it failed may
        # still count at the next start, and would then need these files. What it does not need is
        # collected there.
        self._store.put(records, np.stack([write.vector for write in writes]), model.id)
        self._drop_unused(plan.replaced)

    def quarantined(self) -> int:
        """Return how many files are set aside."""
        return len(self._blobs.quarantined())

    def summary(self) -> Summary:
        """Return counts over all stored images."""
        return self._store.summary()

    def get(self, image_id: str) -> ImageRecord:
        """Return an image's record. Raises ``ImageNotFound``."""
        record = self._store.get([image_id]).get(image_id)
        if record is None:
            raise ImageNotFound(image_id)
        return record

    def records(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        """Return the records of those ids that exist."""
        return self._store.get(ids)

    def image(self, image_id: str) -> tuple[ImageRecord, bytes]:
        """Return a record and the bytes as they were uploaded. Raises ``ImageNotFound``."""
        record = self.get(image_id)
        return record, self._blobs.get(record.sha256)

    def open_image(self, image_id: str) -> tuple[ImageRecord, BinaryIO]:
        """Return a record and a stream of its bytes, to be closed. Raises ``ImageNotFound``."""
        record = self.get(image_id)
        return record, self._blobs.open(record.sha256)

    def thumbnail(self, image_id: str, side: int) -> tuple[ImageRecord, bytes]:
        """Return a record and a small WebP of its image, about ``side`` pixels wide or high.

        Raises ``ImageNotFound``, and as ``Thumbnails.get`` does.
        """
        record = self.get(image_id)
        return record, self._thumbnails.get(record.sha256, side)

    def list_images(
        self, after: int = 0, limit: int = 100, where: Filter | None = None
    ) -> list[ImageRecord]:
        """Return records in order of arrival, beyond the position ``after``."""
        return self._store.page(after, limit, where)

    def update(self, image_id: str, changes: Mapping[str, Any]) -> ImageRecord:
        """Change ``label`` and ``metadata``, where given; the vector stays. Durable once it returns.

        Metadata are merged: a key that is None goes, one that is not named stays (RFC 7396).
        Raises ``ImageNotFound``, or ``ParameterInvalid`` when the result would be too large.
        """
        with self._writing:
            record = self.get(image_id)
            label = changes.get("label", record.label)
            metadata = check_metadata(merged(record.metadata, changes.get("metadata", {})))
            self._store.describe(image_id, label, metadata)
        return replace(record, label=label, metadata=metadata)

    def remove(self, image_id: str) -> None:
        """Remove an image and its bytes. Raises ``ImageNotFound`` or ``StorageUnavailable``."""
        with self._writing:
            self._remove([self.get(image_id)])

    def remove_where(self, where: Filter) -> int:
        """Remove all images that ``where`` holds for, thousands at a time; return how many."""
        removed = 0
        with self._writing:
            while records := self._store.page(0, _REMOVED, where):
                self._remove(records)
                removed += len(records)
        return removed

    def _remove(self, records: Sequence[ImageRecord]) -> None:
        self._used = None
        self._store.delete([record.id for record in records])
        self._drop_unused([record.sha256 for record in records])
        self._metrics.images_removed.inc(len(records))

    def _drop_unused(self, digests: Sequence[str]) -> None:
        # What cannot be removed now is collected at the next start.
        with contextlib.suppress(GemelloError):
            for unused in set(digests) - self._store.used(digests):
                self._drop(unused)

    def _drop(self, digest: str) -> None:
        # The bytes last: while they are there, the next start finds what was left.
        self._stores.thumbnails.delete(digest)
        self._blobs.delete(digest)
