"""The scan names what is wrong with the data, leaves it out, and goes on."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.images.prepare import prepare_file
from tests.support.drawings import draw_classes
from tests.trainer.data.test_near_duplicates import photograph
from trainer.batches.sampling import batch_shape, epoch_batches, steps_per_epoch
from trainer.data import cache_build
from trainer.data.cache import without_single_images
from trainer.data.records import Record, Split, divide, read_data
from trainer.data.scan import Scan, scan

SIZE = 32


def scanned(records: list[Record], folder: Path) -> Scan:
    done: list[int] = []
    found = scan(records, SIZE, folder / "cache", done.append)
    assert sum(done) == len(records)
    return found


def named(found: Scan) -> dict[tuple[str, str], str]:
    return {(item.kind, item.path.name): item.reason for item in found.left_out}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """10 classes of 8 photographs."""
    for label in range(10):
        (tmp_path / "data" / f"class{label}").mkdir(parents=True)
        for place in range(8):
            image = photograph(label * 8 + place, 64)
            image.save(tmp_path / "data" / f"class{label}" / f"{label}-{place}.jpg", quality=95)
    return tmp_path / "data"


def in_splits(data: Path) -> list[Record]:
    """Classes 0 and 1 to validate, 2 and 3 to test, by hand."""
    splits: dict[str, Split] = {
        **dict.fromkeys(("class0", "class1"), "validation"),
        **dict.fromkeys(("class2", "class3"), "test"),
    }
    return [Record(r.path, r.label, splits.get(r.label, "train")) for r in read_data(data)]


def test_ten_classes_of_eight_images_pass_untouched(data: Path, tmp_path: Path) -> None:
    records = divide(read_data(data), 0.2, 0.2)
    found = scanned(records, tmp_path)
    assert found.left_out == []
    assert found.summary() == []
    assert {s: len(c.records) for s, c in found.caches.items()} == {
        "train": 48,
        "validation": 16,
        "test": 16,
    }
    for cached in found.caches.values():
        assert cached.images.shape[1:] == (SIZE, SIZE, 3)
        for image, record in zip(cached.images, cached.records, strict=True):
            assert np.array_equal(image, prepare_file(record.path, SIZE).pixels)


def test_every_unreadable_file_is_named(data: Path, tmp_path: Path) -> None:
    folder = data / "class5"
    whole = (folder / "5-0.jpg").read_bytes()
    (folder / "5-0.jpg").write_bytes(whole[: len(whole) // 2])
    (folder / "5-1.jpg").write_text("I am no image")
    (folder / "5-2.jpg").write_bytes(b"")
    (folder / "folder.png").mkdir()
    (folder / "dangling.png").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.png")
    listed = [
        *in_splits(data),
        Record(folder / "folder.png", "class5", "train"),
        Record(folder / "pipe.png", "class5", "train"),
        Record(folder / "missing.png", "class5", "test"),
    ]
    found = scanned(listed, tmp_path)
    reasons = named(found)
    parts = {
        "5-0.jpg": "cut short or broken",
        "5-1.jpg": "JPEG",
        "5-2.jpg": "the file is empty",
        "dangling.png": "No such file or directory",
        "folder.png": "it is not a regular file",
        "pipe.png": "it is not a regular file",
        "missing.png": "No such file or directory",
    }
    assert set(reasons) == {("unreadable", name) for name in parts}
    for name, part in parts.items():
        assert part in reasons["unreadable", name]
    assert found.counts["unreadable"] == 7
    assert found.summary() == ["7 files cannot be read; left out."]
    assert len(found.caches["train"].records) == 45


def test_a_file_one_may_not_read_is_named(data: Path) -> None:
    path = data / "class5" / "5-0.jpg"
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        # Root may read everything, so nobody tries.
        os.seteuid(65534)
    try:
        result = cache_build._decode(Record(path, "class5"), 32, "stretch")
    finally:
        os.seteuid(user)
    assert "Permission denied" in str(result)


def test_copies_are_named_and_the_first_is_kept(data: Path, tmp_path: Path) -> None:
    shutil.copy(data / "class5" / "5-3.jpg", data / "class5" / "copy.jpg")
    # A later class that is held out; the order of the data decides, not that of the splits.
    shutil.copy(data / "class1" / "1-0.jpg", data / "class6" / "contradiction.jpg")
    shutil.copy(data / "class7" / "7-0.jpg", data / "class9" / "other.jpg")
    records = in_splits(data)
    found = scanned([*records, records[8]], tmp_path)
    reasons = named(found)
    assert set(reasons) == {
        ("duplicate", "copy.jpg"),
        ("duplicate", "1-0.jpg"),
        ("conflict", "contradiction.jpg"),
        ("conflict", "other.jpg"),
    }
    assert "5-3.jpg" in reasons["duplicate", "copy.jpg"]
    assert reasons["duplicate", "1-0.jpg"] == "It is listed twice."
    told = reasons["conflict", "contradiction.jpg"]
    assert "1-0.jpg" in told
    assert "'class1'" in told
    assert "'class6'" in told
    kept = {r.path.name for c in found.caches.values() for r in c.records}
    assert not kept & {"copy.jpg", "contradiction.jpg", "other.jpg"}
    assert {"5-3.jpg", "1-0.jpg", "7-0.jpg"} <= kept
    assert found.summary() == [
        "2 files are copies of others of their class; left out.",
        "2 files lie in two classes, of which the first was kept; left out.",
    ]


def test_near_duplicates_leave_what_is_learnt_not_what_is_asked(data: Path, tmp_path: Path) -> None:
    def again(source: str, target: str) -> None:
        with Image.open(data / source) as image:
            image.save(data / target, quality=60)

    again("class2/2-0.jpg", "class5/like-test.jpg")
    again("class0/0-0.jpg", "class6/like-validation.jpg")
    again("class3/3-0.jpg", "class1/validation-like-test.jpg")
    again("class7/7-0.jpg", "class8/inside-training.jpg")
    found = scanned(in_splits(data), tmp_path)
    reasons = named(found)
    assert set(reasons) == {
        ("near_duplicate", "like-test.jpg"),
        ("near_duplicate", "like-validation.jpg"),
        ("near_duplicate", "validation-like-test.jpg"),
    }
    assert "2-0.jpg, which is held out for test" in reasons["near_duplicate", "like-test.jpg"]
    assert len(found.caches["test"].records) == 16
    assert len(found.caches["train"].records) == 49


def test_every_file_is_decoded_once_and_later_runs_read_none(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = in_splits(data)
    read: list[Path] = []
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        read.append(path)
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", noted)
    first = scanned(records, tmp_path)
    assert sorted(read) == sorted(r.path for r in records)
    read.clear()

    def refuse(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(cache_build, "prepare", refuse)
    second = scanned(records, tmp_path)
    assert read == []
    assert second.left_out == first.left_out
    assert second.caches["train"].content == first.caches["train"].content


def test_two_classes_only(tmp_path: Path) -> None:
    records = divide(read_data(draw_classes(tmp_path / "two", 2, 3)), 0.3, 0.3)
    found = scanned(records, tmp_path)
    assert {s: len(c.records) for s, c in found.caches.items()} == {
        "train": 6,
        "validation": 0,
        "test": 0,
    }
    labels = [int(r.label[-1]) for r in found.caches["train"].records]
    shape = batch_shape(labels, 32, 3)
    (batch,) = epoch_batches(
        labels, shape, np.random.default_rng(0), steps=steps_per_epoch(labels, shape)
    )
    assert sorted(set(batch.tolist())) == list(range(6))


def test_a_class_that_its_copies_alone_made_large_is_counted_as_single(
    data: Path, tmp_path: Path
) -> None:
    for place in range(1, 8):
        shutil.copy(data / "class9" / "9-0.jpg", data / "class9" / f"9-{place}.jpg")
    found = scanned(in_splits(data), tmp_path)
    assert found.counts["duplicate"] == 7
    kept, single = without_single_images(found.caches["train"])
    assert (len(kept.records), single) == (40, 1)


def test_records_without_a_split_are_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not divided"):
        scan(read_data(data), SIZE, tmp_path, lambda _: None)
