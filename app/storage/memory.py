"""Stores in memory, deliberately naive: they say in few lines what the protocols mean.

For tests here and in what is built on Gemello; nothing outlives the process.
"""

import random
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Vectors
from app.errors import ImageDamaged
from app.storage.blob_store import Quarantined
from app.storage.damage import Damage
from app.storage.facts import Fact, facts_of, holds, least
from app.storage.filters import Filter, Scalar
from app.storage.records import ImageRecord, Summary


class MemoryGalleryStore:
    """Every record and vector in dictionaries; every search a loop over all of them, in float64."""

    def __init__(self) -> None:
        self._records: dict[str, ImageRecord] = {}
        self._vectors: dict[str, dict[str, Vectors]] = {}
        """By model id, then by image id."""
        self._loaded: Counter[str] = Counter()
        self._positions = 0
        self._generation = 0
        self._lock = threading.RLock()

    @property
    def generation(self) -> int:
        return self._generation

    def put(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        with self._lock:
            for record, vector in zip(records, vectors, strict=True):
                known = self._records.get(record.id)
                if known is None:
                    self._positions += 1
                position = known.position if known else self._positions
                for by_id in self._vectors.values():
                    by_id.pop(record.id, None)
                self._records[record.id] = replace(record, position=position)
                self._vectors.setdefault(model_id, {})[record.id] = vector.copy()
            self._generation += 1

    def put_vectors(self, records: Sequence[ImageRecord], vectors: Vectors, model_id: str) -> None:
        with self._lock:
            for record, vector in zip(records, vectors, strict=True):
                known = self._records.get(record.id)
                if known and (known.position, known.sha256) == (record.position, record.sha256):
                    self._vectors.setdefault(model_id, {})[record.id] = vector.copy()

    def describe(self, image_id: str, label: str | None, metadata: dict[str, Any]) -> None:
        with self._lock:
            known = self._records.get(image_id)
            if known:
                self._records[image_id] = replace(known, label=label, metadata=metadata)
            self._generation += 1

    def delete(self, ids: Sequence[str]) -> None:
        with self._lock:
            for image_id in ids:
                self._records.pop(image_id, None)
                for by_id in self._vectors.values():
                    by_id.pop(image_id, None)
            self._generation += 1

    def get(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        with self._lock:
            return {i: self._records[i] for i in ids if i in self._records}

    def page(self, after: int, limit: int, where: Filter | None = None) -> list[ImageRecord]:
        return [record for record in self._where(where) if record.position > after][:limit]

    def sample(self, count: int) -> list[ImageRecord]:
        records = self._where(None)
        return random.Random(0).sample(records, min(count, len(records)))  # noqa: S311

    def count(self, where: Filter | None = None) -> int:
        return len(self._where(where))

    def summary(self) -> Summary:
        records = self._where(None)
        dates = [record.created_at for record in records]
        return Summary(
            images=len(records),
            bytes=sum(record.bytes for record in records),
            labels=len({record.label for record in records} - {None}),
            media_types=dict(sorted(Counter(record.media_type for record in records).items())),
            vectors={m: len(by_id) for m, by_id in sorted(self._vectors.items()) if by_id},
            oldest=min(dates, default=None),
            newest=max(dates, default=None),
        )

    def values_of(self, key: str, ids: Sequence[str]) -> dict[str, Scalar]:
        values = {
            image_id: [value for name, value in _facts(record) if name == key]
            for image_id, record in self.get(ids).items()
        }
        return {image_id: least(each) for image_id, each in values.items() if each}

    def used(self, digests: Sequence[str]) -> set[str]:
        return set(digests) & {record.sha256 for record in self._where(None)}

    def without_vector(self, model_id: str, after: int, limit: int) -> list[ImageRecord]:
        known = self._vectors.get(model_id, {})
        records = [r for r in self._where(None) if r.position > after and r.id not in known]
        return records[:limit]

    def keep_vectors(self, *model_ids: str) -> None:
        with self._lock:
            self._vectors = {m: v for m, v in self._vectors.items() if m in model_ids}

    def load(self, model_id: str, dimension: int) -> None:
        with self._lock:
            known = self._vectors.setdefault(model_id, {})
            for image_id, vector in list(known.items()):
                if vector.shape != (dimension,) or not np.isfinite(vector).all():
                    del known[image_id]
            self._loaded[model_id] += 1

    def unload(self, model_id: str) -> None:
        self._loaded[model_id] -= 1

    def searchable(self, model_id: str) -> int:
        return len(self._vectors.get(model_id, {})) if self._loaded[model_id] else 0

    def vectors(self, model_id: str, ids: Sequence[str]) -> dict[str, Vectors]:
        with self._lock:
            known = self._vectors.get(model_id, {})
            return {i: known[i].copy() for i in ids if i in known}

    def nearest(
        self, model_id: str, queries: Vectors, k: int, where: Filter | None = None
    ) -> tuple[list[list[str]], npt.NDArray[np.float32]]:
        known = self.vectors(model_id, [record.id for record in self._where(where)])
        ids, distances = [], []
        for query in queries:
            row = sorted((_distance(query, vector), i) for i, vector in known.items())[:k]
            ids.append([image_id for _, image_id in row])
            distances.append([distance for distance, _ in row])
        return ids, np.array(distances, np.float32).reshape(len(queries), min(k, len(known)))

    def within(self, model_id: str, ids: Sequence[str], radius: float) -> dict[str, list[str]]:
        known = self.vectors(model_id, list(self._records))
        return {
            one: [
                other
                for other, vector in known.items()
                if other != one and np.float32(_distance(known[one], vector)) <= np.float32(radius)
            ]
            for one in ids
            if one in known
        }

    def check(self, stopping: Callable[[], bool]) -> Iterator[Damage | None]:  # noqa: ARG002
        yield from ()

    def _where(self, where: Filter | None) -> list[ImageRecord]:
        with self._lock:
            records = sorted(self._records.values(), key=lambda record: record.position)
        return [record for record in records if where is None or holds(where, _facts(record))]


class MemoryBlobStore:
    """Bytes in a dictionary."""

    def __init__(self) -> None:
        self._blobs: dict[str, bytes] = {}
        self._aside: dict[Quarantined, bytes] = {}

    def put(self, digest: str, data: bytes) -> None:
        self._blobs[digest] = data

    def get(self, digest: str) -> bytes:
        for item in [item for item in self._aside if item.digest == digest]:
            self._blobs[digest] = self._aside.pop(item)
        try:
            return self._blobs[digest]
        except KeyError as exc:
            raise ImageDamaged(digest, "is missing") from exc

    def open(self, digest: str) -> BinaryIO:
        return BytesIO(self.get(digest))

    def delete(self, digest: str) -> None:
        self._blobs.pop(digest, None)
        self._aside = {item: data for item, data in self._aside.items() if item.digest != digest}

    def quarantine(self, digest: str) -> None:
        if digest in self._blobs:
            today = datetime.now(UTC).date()
            self._aside[Quarantined(digest, today)] = self._blobs.pop(digest)

    def quarantined(self) -> list[Quarantined]:
        return list(self._aside)

    def discard(self, item: Quarantined) -> None:
        self._aside.pop(item, None)

    def digests(self) -> Iterator[str]:
        return iter(list(self._blobs))


class MemoryThumbnailStore:
    """Thumbnails in a dictionary."""

    def __init__(self) -> None:
        self._thumbnails: dict[str, dict[int, bytes]] = {}

    def put(self, digest: str, side: int, data: bytes) -> None:
        self._thumbnails.setdefault(digest, {})[side] = data

    def get(self, digest: str, side: int) -> bytes | None:
        return self._thumbnails.get(digest, {}).get(side)

    def delete(self, digest: str) -> None:
        self._thumbnails.pop(digest, None)


def _facts(record: ImageRecord) -> list[Fact]:
    return list(facts_of(record.label, record.filename, record.metadata))


def _distance(one: Vectors, other: Vectors) -> float:
    return float(np.linalg.norm(one.astype(np.float64) - other.astype(np.float64)))
