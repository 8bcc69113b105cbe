"""What every blob store does with bytes."""

import pytest

from app.errors import StorageUnavailable
from app.storage.blob_store import BlobStore, digest_of


def put(blobs: BlobStore, data: bytes) -> str:
    digest = digest_of(data)
    blobs.put(digest, data)
    return digest


def test_bytes_come_back_under_their_digest(blobs: BlobStore) -> None:
    digest = put(blobs, b"picture")
    assert put(blobs, b"picture") == digest
    assert blobs.get(digest) == b"picture"
    with blobs.open(digest) as stream:
        assert (stream.read(4), stream.read(), stream.read()) == (b"pict", b"ure", b"")
    assert list(blobs.digests()) == [digest]


def test_missing_bytes_are_reported(blobs: BlobStore) -> None:
    with pytest.raises(StorageUnavailable):
        blobs.get(digest_of(b"never there"))
    with pytest.raises(StorageUnavailable):
        blobs.open(digest_of(b"never there"))


def test_deleting_twice_is_fine(blobs: BlobStore) -> None:
    digests = {put(blobs, b"one"), put(blobs, b"two")}
    assert set(blobs.digests()) == digests
    for digest in digests:
        blobs.delete(digest)
        blobs.delete(digest)
    assert list(blobs.digests()) == []


def test_what_is_listed_can_be_deleted_on_the_way(blobs: BlobStore) -> None:
    for number in range(20):
        put(blobs, str(number).encode())
    for digest in blobs.digests():
        blobs.delete(digest)
    assert list(blobs.digests()) == []


def test_what_is_set_aside_is_stored_no_longer_and_comes_back_when_it_is_asked_for(
    blobs: BlobStore,
) -> None:
    digest = put(blobs, b"picture")
    blobs.quarantine(digest)
    blobs.quarantine(digest_of(b"never there"))
    assert list(blobs.digests()) == []
    assert [item.digest for item in blobs.quarantined()] == [digest]
    assert blobs.get(digest) == b"picture"
    assert list(blobs.digests()) == [digest]
    assert blobs.quarantined() == []


@pytest.mark.parametrize("how", ["discard", "delete"])
def test_what_is_set_aside_can_be_removed_for_good(blobs: BlobStore, how: str) -> None:
    digest = put(blobs, b"picture")
    blobs.quarantine(digest)
    (item,) = blobs.quarantined()
    blobs.discard(item) if how == "discard" else blobs.delete(digest)
    assert blobs.quarantined() == []
    with pytest.raises(StorageUnavailable):
        blobs.get(digest)
