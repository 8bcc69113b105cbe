"""Image bytes on disk: written once, checked when read, nothing left behind by a failure."""

import errno
import os
from pathlib import Path

import pytest

from app.errors import StorageFull, StorageUnavailable
from app.storage.local.blobs import BlobStore, sha256


@pytest.fixture
def blobs(tmp_path: Path) -> BlobStore:
    return BlobStore(tmp_path)


def files(root: Path) -> list[str]:
    return sorted(path.name for path in root.rglob("*") if path.is_file())


def test_bytes_come_back_under_their_digest(blobs: BlobStore, tmp_path: Path) -> None:
    digest = blobs.put(b"picture")
    assert digest == sha256(b"picture")
    assert blobs.get(digest) == b"picture"
    assert (tmp_path / digest[:2] / digest).read_bytes() == b"picture"


def test_the_same_bytes_are_one_file(blobs: BlobStore, tmp_path: Path) -> None:
    assert blobs.put(b"picture") == blobs.put(b"picture")
    assert files(tmp_path) == [sha256(b"picture")]


def test_a_file_cut_short_is_mended_by_storing_it_again(blobs: BlobStore, tmp_path: Path) -> None:
    digest = blobs.put(b"picture")
    (tmp_path / digest[:2] / digest).write_bytes(b"pic")
    blobs.put(b"picture")
    assert blobs.get(digest) == b"picture"


def test_altered_or_missing_bytes_are_reported(blobs: BlobStore, tmp_path: Path) -> None:
    digest = blobs.put(b"picture")
    (tmp_path / digest[:2] / digest).write_bytes(b"pictura")
    with pytest.raises(StorageUnavailable, match=digest[:12]):
        blobs.get(digest)
    blobs.delete(digest)
    with pytest.raises(StorageUnavailable, match="No such file"):
        blobs.get(digest)


def test_deleting_twice_is_fine(blobs: BlobStore, tmp_path: Path) -> None:
    digest = blobs.put(b"picture")
    blobs.delete(digest)
    blobs.delete(digest)
    assert files(tmp_path) == []


def test_orphans_and_temporary_files_are_collected(blobs: BlobStore, tmp_path: Path) -> None:
    kept, orphan = blobs.put(b"kept"), blobs.put(b"orphan")
    (tmp_path / ".tmp" / "half").write_bytes(b"half")
    assert blobs.collect({kept}) == 2
    assert files(tmp_path) == [kept]
    assert blobs.collect({kept}) == 0
    with pytest.raises(StorageUnavailable):
        blobs.get(orphan)


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
    blobs: BlobStore,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: type[Exception],
) -> None:
    def fails(_: int) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(expected):
            blobs.put(b"picture")
    assert files(tmp_path) == []
    assert blobs.get(blobs.put(b"picture")) == b"picture", "it recovers unaided"


def test_bytes_are_synced_before_they_are_named_and_their_folder_after(
    blobs: BlobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = os.fsync, []

    def noted(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").resolve()
        named = (tmp_path / sha256(b"picture")[:2] / sha256(b"picture")).exists()
        seen.append((target.relative_to(tmp_path).parts[:1], named))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    digest = blobs.put(b"picture")
    assert seen == [((".tmp",), False), ((digest[:2],), True), ((), True)]


def test_a_root_that_is_a_file_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageUnavailable):
        BlobStore(tmp_path / "file")
