"""The decoded images on disk: what serving would see, kept, and rebuilt when files change."""

import errno
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.images.prepare import prepare_file
from app.images.square import Resize
from tests.support.drawings import draw_classes
from tests.support.images import photo
from trainer.data import cache, cache_build
from trainer.data.records import Record, read_data
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
    assert cached.images.shape == (12, 32, 32, 3)
    for image, record in zip(cached.images, records, strict=True):
        assert np.array_equal(image, prepare_file(record.path, 32).pixels)


def test_each_way_to_make_a_square_has_a_cache_of_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "images" / "wide"
    folder.mkdir(parents=True)
    photo(1, 96, 64).save(folder / "1.png")
    records, folder = read_data(folder.parent), tmp_path / "cache"
    stretched = cache.open_cache(records, 32, folder, lambda _: None)
    cropped = cache.open_cache(records, 32, folder, lambda _: None, "crop")
    assert not np.array_equal(stretched.images[:], cropped.images[:])
    expected = prepare_file(records[0].path, 32, resize="crop").pixels
    assert np.array_equal(cropped.images[0], expected)


def test_a_second_run_decodes_nothing(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = open_counted(records, tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache_build, "_decode", refuse)
    second, done = open_counted(records, tmp_path / "cache")
    assert done == 12
    assert np.array_equal(first.images[:], second.images[:])
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
    assert np.array_equal(after.images[:], before.images[:])


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


def test_a_second_run_waits_for_the_first_and_decodes_nothing(
    records: list[Record], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    other: list[cache.ImageCache] = []
    second = threading.Thread(
        target=lambda: other.append(cache.open_cache(records, 32, folder, lambda _: None))
    )

    def meanwhile(_: int) -> None:
        if not second.ident:
            second.start()
            second.join(0.2)
            assert second.is_alive(), "it waits"

    mine = cache.open_cache(records, 32, folder, meanwhile)
    second.join(20)
    assert np.array_equal(mine.images[:], other[0].images[:])
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


def test_a_disk_that_fills_up_is_said_and_leaves_nothing(
    records: list[Record], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(cache_build, "_write", full)
    with pytest.raises(DataError, match=r"cannot be written to .*No space left.*--cache"):
        open_counted(records, tmp_path / "cache")
    assert not list((tmp_path / "cache").iterdir())


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were decoded, and a mark after every two."""
    monkeypatch.setattr(cache_build, "_CHUNK", 2)
    monkeypatch.setattr(cache_build, "_MARK_EVERY", 2)
    seen: list[Path] = []
    decode = cache_build._decode

    def noted(record: Record, size: int, resize: Resize) -> Any:
        seen.append(record.path)
        return decode(record, size, resize)

    monkeypatch.setattr(cache_build, "_decode", noted)
    return seen


def test_an_interrupted_build_goes_on_where_it_stopped(
    records: list[Record], tmp_path: Path, decoded: list[Path]
) -> None:
    records[2].path.write_bytes(b"no image")
    whole, _ = open_counted(records, tmp_path / "whole")
    decoded.clear()
    done: list[int] = []

    def interrupt(count: int) -> None:
        done.append(count)
        if sum(done) == 6:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.open_cache(records, 32, tmp_path / "cache", interrupt)
    assert decoded == [r.path for r in records[:6]]
    assert [p.suffix for p in (tmp_path / "cache").iterdir()] == [".part"], "not taken for whole"
    decoded.clear()
    cached, count = open_counted(records, tmp_path / "cache")
    assert decoded == [r.path for r in records[6:]]
    assert count == 12
    assert np.array_equal(cached.images[:], whole.images[:])
    assert (cached.bad, cached.content) == (whole.bad, whole.content)
    assert len(list((tmp_path / "cache").iterdir())) == 1


@pytest.mark.parametrize("damage", ["torn", "short", "nonsense"])
def test_what_a_killed_build_left_is_checked(
    records: list[Record], tmp_path: Path, decoded: list[Path], damage: str
) -> None:
    def interrupt(_: int) -> None:
        if len(decoded) > 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.open_cache(records, 32, tmp_path / "cache", interrupt)
    (scratch,) = (tmp_path / "cache").iterdir()
    if damage == "torn":
        with (scratch / "images.bin").open("ab") as stream:
            stream.write(b"half an image")
    elif damage == "short":
        os.truncate(scratch / "images.bin", 100)
    else:
        (scratch / "mark.json").write_text("{")
    cached, _ = open_counted(records, tmp_path / "cache")
    for image, record in zip(cached.images, records, strict=True):
        assert np.array_equal(image, prepare_file(record.path, 32).pixels)


def test_a_killed_build_holds_no_lock_and_its_leftover_goes(
    records: list[Record], tmp_path: Path
) -> None:
    folder = tmp_path / "cache"
    code = (
        "import sys, time; from pathlib import Path; from trainer.data.cache import open_cache;"
        "from trainer.data.records import read_data;"
        "open_cache(read_data(Path(sys.argv[1])), 48, Path(sys.argv[2]),"
        "lambda n: n and (print('reading', flush=True), time.sleep(60)))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "images"), str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        assert run.stdout
        assert run.stdout.readline() == b"reading\n"
        (scratch,) = folder.iterdir()
        open_counted(records, folder)
        assert scratch.exists(), "its run still lives"
        run.send_signal(signal.SIGKILL)
    cache.open_cache(records, 40, folder, lambda _: None)
    assert sorted(p.name.rpartition("-")[2] for p in folder.iterdir()) == ["32", "40"]


def test_a_damaged_cache_is_said(records: list[Record], tmp_path: Path) -> None:
    open_counted(records, tmp_path / "cache")
    (target,) = (tmp_path / "cache").iterdir()
    os.truncate(target / "images.bin", 100)
    with pytest.raises(DataError, match=r"images.bin is cut short; delete"):
        open_counted(records, tmp_path / "cache")
    (target / "done.json").write_text("{}")
    with pytest.raises(DataError, match="is damaged"):
        open_counted(records, tmp_path / "cache")


def test_no_records_make_an_empty_cache(tmp_path: Path) -> None:
    cached, _ = open_counted([], tmp_path / "cache")
    assert cached.images.shape == (0, 32, 32, 3)
    assert cached.images[:].shape == (0, 32, 32, 3)
