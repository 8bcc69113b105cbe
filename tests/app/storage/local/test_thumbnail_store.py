"""Thumbnails on disk: whatever the disk does, the worst is that one is made again."""

import errno
from pathlib import Path

import pytest

from app.storage.blob_store import digest_of
from app.storage.local.thumbnail_store import LocalThumbnailStore
from tests.support.images import picture

DIGEST = digest_of(b"image")
WEBP = picture(1, "WEBP")


def test_a_file_lies_under_its_images_digest_and_size(tmp_path: Path) -> None:
    LocalThumbnailStore(tmp_path).put(DIGEST, 64, WEBP)
    assert (tmp_path / DIGEST[:2] / f"{DIGEST}-64.webp").read_bytes() == WEBP


@pytest.mark.parametrize("left", [b"", WEBP[:-1], bytes(len(WEBP)), WEBP + b"\0"])
def test_a_damaged_file_is_none_and_is_written_anew(tmp_path: Path, left: bytes) -> None:
    store = LocalThumbnailStore(tmp_path)
    store.put(DIGEST, 64, WEBP)
    (tmp_path / DIGEST[:2] / f"{DIGEST}-64.webp").write_bytes(left)
    assert store.get(DIGEST, 64) is None
    store.put(DIGEST, 64, WEBP)
    assert store.get(DIGEST, 64) == WEBP


@pytest.mark.parametrize("method", ["write_bytes", "mkdir", "replace"])
def test_a_full_disk_is_no_error_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    store = LocalThumbnailStore(tmp_path)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, method, full)
        store.put(DIGEST, 64, WEBP)
    assert store.get(DIGEST, 64) is None
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    store.put(DIGEST, 64, WEBP)
    assert store.get(DIGEST, 64) == WEBP


def test_what_an_interrupted_write_left_is_removed(tmp_path: Path) -> None:
    LocalThumbnailStore(tmp_path).put(DIGEST, 64, WEBP)
    (tmp_path / ".tmp" / "half").write_bytes(WEBP[:9])
    assert LocalThumbnailStore(tmp_path).get(DIGEST, 64) == WEBP
    assert list((tmp_path / ".tmp").iterdir()) == []
