"""The protocol behind which the bytes of images lie."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Bytes that were set aside: their digest, and the day."""

    digest: str
    since: date


class BlobStore(Protocol):
    """Immutable bytes, addressed by their SHA-256. Safe to call from threads."""

    def put(self, digest: str, data: bytes) -> None:
        """Store ``data``, whose SHA-256 is ``digest``; durable once this returns.

        Storing it again mends what is stored, if that was damaged, and else changes nothing. Raises
        ``StorageFull`` or ``StorageUnavailable``.
        """
        ...

    def get(self, digest: str) -> bytes:
        """Return the bytes. Raises ``ImageDamaged`` when they are missing or altered."""
        ...

    def open(self, digest: str) -> BinaryIO:
        """Return a stream of the bytes, to be closed by the caller, who may read it slowly.

        Raises as ``get`` does, before anything is read.
        """
        ...

    def delete(self, digest: str) -> None:
        """Remove the bytes, from the quarantine, too; missing ones are ignored.

        Raises ``StorageUnavailable``.
        """
        ...

    def digests(self) -> Iterator[str]:
        """Yield the digest of everything that is stored, in no order."""
        ...

    def quarantine(self, digest: str) -> None:
        """Set the bytes aside: they are stored no longer, but are not lost either.

        ``get`` brings them back, if they are intact. Raises ``StorageUnavailable``.
        """
        ...

    def quarantined(self) -> list[Quarantined]:
        """Return what has been set aside, the oldest first."""
        ...

    def discard(self, item: Quarantined) -> None:
        """Remove what was set aside for good. Raises ``StorageUnavailable``."""
        ...


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of ``data``, 64 hex digits: its address in every store."""
    return sha256(data).hexdigest()
