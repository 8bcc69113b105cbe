"""The decoded images on disk: what serving would see, kept, and rebuilt when files change."""

import errno
import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.images import prepare_file
from tests.drawings import draw_classes
from trainer import cache
from trainer.data import Record, read_data
from trainer.errors import DataError


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    return read_data(draw_classes(tmp_path / "images", 4, 3))


def open_counted(records: list[Record], folder: Path) -> tuple[cache.ImageCache, int]:
    done: list[int] = []
    return cache.open_cache(records, 32, folder, done.append), sum(done)


def test_it_holds_what_serving_would_see(records: list[Record], tmp_path: Path) -> None:
    cached, done = open_counted(records, tmp_path / "cache")
    assert done == 12
    assert cached.records == records
    assert isinstance(cached.images.base, np.memmap) or isinstance(cached.images, np.memmap)
    for image, record in zip(cached.images, records, strict=True):
        assert np.array_equal(image, prepare_file(record.path, 32).pixels)


def test_a_second_run_decodes_nothing(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = open_counted(records, tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache, "_decode", refuse)
    second, done = open_counted(records, tmp_path / "cache")
    assert done == 12
    assert np.array_equal(first.images, second.images)
    assert first.content == second.content


def test_a_changed_file_makes_a_new_cache(records: list[Record], tmp_path: Path) -> None:
    before, _ = open_counted(records, tmp_path / "cache")
    path = records[0].path
    path.write_bytes(records[1].path.read_bytes())
    os.utime(path, ns=(1, 1))
    after, _ = open_counted(records, tmp_path / "cache")
    assert np.array_equal(after.images[0], before.images[1])
    assert after.content != before.content


def test_bad_files_are_named_and_left_out(records: list[Record], tmp_path: Path) -> None:
    records[1].path.write_bytes(b"no image")
    records[5].path.unlink()
    cached, _ = open_counted(records, tmp_path / "cache")
    assert len(cached.images) == len(cached.records) == 10
    assert set(cached.bad) == {str(records[1].path), str(records[5].path)}
    assert "cannot be read" in cached.bad[str(records[5].path)]
    kept = [r for i, r in enumerate(records) if i not in (1, 5)]
    assert cached.records == kept
    for image, record in zip(cached.images, kept, strict=True):
        assert np.array_equal(image, prepare_file(record.path, 32).pixels)


def test_a_changed_label_changes_the_content_not_the_pixels(
    records: list[Record], tmp_path: Path
) -> None:
    before, _ = open_counted(records, tmp_path / "cache")
    relabelled = [replace(records[0], label="another"), *records[1:]]
    after, _ = open_counted(relabelled, tmp_path / "cache")
    assert after.records[0].label == "another"
    assert after.content != before.content
    assert np.array_equal(after.images, before.images)


def test_a_file_that_could_not_be_read_is_tried_again_with_other_permissions(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: Path) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "read_bytes", refuse)
        refused, _ = open_counted(records, tmp_path / "cache")
    assert len(refused.bad) == 12
    time.sleep(0.02)
    for record in records:
        record.path.chmod(0o600)
    read, _ = open_counted(records, tmp_path / "cache")
    assert (len(read.records), read.bad) == (12, {})


def test_two_runs_at_once_share_the_result(records: list[Record], tmp_path: Path) -> None:
    folder = tmp_path / "cache"
    other: list[cache.ImageCache] = []

    def meanwhile(_: int) -> None:
        if not other:
            other.append(cache.open_cache(records, 32, folder, lambda _: None))

    mine = cache.open_cache(records, 32, folder, meanwhile)
    assert np.array_equal(mine.images, other[0].images)
    assert len(list(folder.iterdir())) == 1


def test_a_full_disk_is_said_before_decoding(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"need 0\.00 GB .* has 0\.00 GB free; .*--cache"):
        open_counted(records, tmp_path / "cache")


def test_a_folder_that_cannot_be_written_is_said(records: list[Record], tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(DataError, match=r"cannot be written to .*cache"):
        open_counted(records, tmp_path / "cache")


def test_an_interrupted_build_is_not_taken_for_a_whole_one(
    records: list[Record], tmp_path: Path
) -> None:
    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.open_cache(records, 32, tmp_path / "cache", interrupt)
    assert not list((tmp_path / "cache").iterdir()), "what it had written is gone"
    cached, _ = open_counted(records, tmp_path / "cache")
    assert len(cached.images) == 12
