"""Image bytes on disk: written once, checked when read, nothing left behind by a failure."""

import errno
import os
from pathlib import Path

import pytest

from app.errors import StorageFull, StorageUnavailable
from app.storage.blob_store import digest_of
from app.storage.local.blob_store import LocalBlobStore


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "blobs"


@pytest.fixture
def blobs(root: Path) -> LocalBlobStore:
    return LocalBlobStore(root)


def put(blobs: LocalBlobStore, data: bytes) -> str:
    digest = digest_of(data)
    blobs.put(digest, data)
    return digest


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_file_lies_under_its_digest(blobs: LocalBlobStore, root: Path) -> None:
    digest = put(blobs, b"picture")
    assert (root / digest[:2] / digest).read_bytes() == b"picture"


def test_the_same_bytes_are_one_file(blobs: LocalBlobStore, root: Path) -> None:
    assert put(blobs, b"picture") == put(blobs, b"picture")
    assert files(root) == [digest_of(b"picture")]


def test_a_file_cut_short_is_mended_by_storing_it_again(blobs: LocalBlobStore, root: Path) -> None:
    digest = put(blobs, b"picture")
    (root / digest[:2] / digest).write_bytes(b"pic")
    put(blobs, b"picture")
    assert blobs.get(digest) == b"picture"


def test_altered_or_missing_bytes_are_reported(blobs: LocalBlobStore, root: Path) -> None:
    digest = put(blobs, b"picture")
    (root / digest[:2] / digest).write_bytes(b"pictura")
    with pytest.raises(StorageUnavailable, match=digest[:12]):
        blobs.get(digest)
    blobs.delete(digest)
    with pytest.raises(StorageUnavailable, match="is missing"):
        blobs.get(digest)


def test_what_an_interrupted_write_left_is_removed_at_the_next_start(root: Path) -> None:
    digest = put(LocalBlobStore(root), b"picture")
    (root / ".tmp" / "half").write_bytes(b"half")
    assert list(LocalBlobStore(root).digests()) == [digest]
    assert files(root) == [digest]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.ENOSPC, StorageFull),
        (errno.EDQUOT, StorageFull),
        (errno.EIO, StorageUnavailable),
        (errno.EROFS, StorageUnavailable),
    ],
)
def test_a_disk_that_fails_is_our_error_and_leaves_nothing(
    blobs: LocalBlobStore,
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[Exception],
) -> None:
    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(expected):
            put(blobs, b"picture")
    assert files(root) == []
    assert blobs.get(put(blobs, b"picture")) == b"picture", "it recovers unaided"


def test_bytes_are_synced_before_they_are_named_and_their_folder_after(
    blobs: LocalBlobStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = os.fsync, []

    def noted(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").resolve()
        named = (root / digest_of(b"picture")[:2] / digest_of(b"picture")).exists()
        seen.append((target.relative_to(root).parts[:1], named))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    digest = put(blobs, b"picture")
    assert seen == [((".tmp",), False), ((digest[:2],), True), ((), True)]


def test_a_root_that_is_a_file_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable):
        LocalBlobStore(tmp_path / "file")
