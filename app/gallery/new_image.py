"""Images to add, and what becomes of them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from app.bundle.encoder import Vectors
from app.errors import GalleryFull, GemelloError, ImageConflict
from app.gallery.quota import Quota, Usage
from app.inference.embedder import Embedded
from app.inference.failures import as_result
from app.storage.blob_store import digest_of
from app.storage.gallery_store import GalleryStore
from app.storage.records import ImageRecord

T = TypeVar("T")
OnConflict = Literal["skip", "replace", "error"]
Status = Literal["created", "replaced", "skipped", "failed"]

BATCH, BATCH_BYTES = 16, 16_000_000
"""Images that are worked on at a time, and after how many bytes there are enough of them."""
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


@dataclass(frozen=True, slots=True)
class Write:
    """A record to store with its vector float32 [D] and its bytes."""

    record: ImageRecord
    vector: Vectors
    data: bytes


class Plan:
    """Decides what becomes of each new image, before anything is written."""

    def __init__(
        self,
        store: GalleryStore,
        on_conflict: OnConflict,
        quota: Quota = Quota(),
        used: Usage = Usage(),
    ) -> None:
        """``used`` is what the gallery holds; it need be right only where there is a ``quota``."""
        self._store, self._on_conflict = store, on_conflict
        self._quota, self.used = quota, used
        self.writes: dict[str, Write] = {}
        self.replaced: list[str] = []
        """SHA-256 of bytes that a stored record will no longer need."""
        self.known: list[Write] = []
        """What is stored already, with the same bytes, and stays as it is."""

    def add(self, new: NewImage, image: Embedded) -> AddResult:
        digest = digest_of(new.data)
        image_id = new.id or digest[:DEFAULT_ID_LENGTH]
        stored = self._store.get([image_id]).get(image_id)
        present = stored is not None or image_id in self.writes
        if stored is not None and stored.sha256 == digest and self._on_conflict != "replace":
            self.known.append(Write(stored, image.vectors[0], new.data))
        if present and self._on_conflict == "error":
            return AddResult("failed", image_id, ImageConflict(image_id))
        if present and self._on_conflict == "skip":
            return AddResult("skipped", image_id)
        old = self.writes[image_id].record if image_id in self.writes else stored
        grown = Usage(
            self.used.images + (old is None),
            self.used.bytes + len(new.data) - (old.bytes if old else 0),
        )
        try:
            self._quota.check(self.used, grown)
        except GalleryFull as exc:
            return AddResult("failed", image_id, as_result(exc))
        self.used = grown
        if stored is not None:
            self.replaced.append(stored.sha256)
        record = ImageRecord(
            id=image_id,
            sha256=digest,
            filename=new.filename,
            label=new.label,
            metadata=new.metadata,
            width=image.width,
            height=image.height,
            media_type=image.media_type,
            bytes=len(new.data),
        )
        self.writes[image_id] = Write(record, image.vectors[0], new.data)
        return AddResult("replaced" if present else "created", image_id)


def batched(items: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield ``items`` in batches of at most ``BATCH``, the smaller the more bytes an item has."""
    batch: list[T] = []
    room = BATCH_BYTES
    for item in items:
        batch.append(item)
        room -= size(item)
        if len(batch) == BATCH or room <= 0:
            yield batch
            batch, room = [], BATCH_BYTES
    if batch:
        yield batch
