"""The protocol behind which the bytes of images lie."""

from collections.abc import Iterator
from hashlib import sha256
from typing import BinaryIO, Protocol


class BlobStore(Protocol):
    """Immutable bytes, addressed by their SHA-256. Safe to call from threads."""

    def put(self, digest: str, data: bytes) -> None:
        """Store ``data``, whose SHA-256 is ``digest``; durable once this returns.

        Storing it again changes nothing. Raises ``StorageFull`` or ``StorageUnavailable``.
        """
        ...

    def get(self, digest: str) -> bytes:
        """Return the bytes. Raises ``StorageUnavailable`` when they are missing or altered."""
        ...

    def open(self, digest: str) -> BinaryIO:
        """Return a stream of the bytes, to be closed by the caller, who may read it slowly.

        Raises as ``get`` does, before anything is read.
        """
        ...

    def delete(self, digest: str) -> None:
        """Remove the bytes; missing ones are ignored. Raises ``StorageUnavailable``."""
        ...

    def digests(self) -> Iterator[str]:
        """Yield the digest of everything that is stored, in no order."""
        ...


def digest_of(data: bytes) -> str:
    """Return the SHA-256 of ``data``, 64 hex digits: its address in every store."""
    return sha256(data).hexdigest()
