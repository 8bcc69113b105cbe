"""Rows read by position: the same as an array in memory, in any order."""

import resource
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.data import rows
from trainer.data.rows import FeatureFile, ImageFile, RowFile
from trainer.errors import DataError


def image_file(folder: Path, count: int, size: int = 4) -> tuple[ImageFile, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (count, size, size, 3), dtype=np.uint8)
    images.tofile(folder / "images.bin")
    return ImageFile(folder / "images.bin", count, size), images


@settings(deadline=None)
@given(places=st.lists(st.integers(-20, 19), max_size=60))
def test_any_places_are_read_as_from_memory(
    places: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, images = image_file(tmp_path_factory.mktemp("rows"), 20)
    chosen = np.array(places, np.int64)
    before = chosen.copy()
    read = file[chosen]
    assert read.dtype == np.uint8
    assert np.array_equal(read, images[chosen])
    assert np.array_equal(chosen, before)


@settings(deadline=None)
@given(
    start=st.none() | st.integers(-25, 25),
    stop=st.none() | st.integers(-25, 25),
    step=st.none() | st.integers(-4, 4).filter(bool),
)
def test_any_slice_is_read_as_from_memory(
    start: int | None, stop: int | None, step: int | None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file, images = image_file(tmp_path_factory.mktemp("rows"), 20)
    assert np.array_equal(file[start:stop:step], images[start:stop:step])


def test_more_rows_than_one_call_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "_RUN", 3)
    file, images = image_file(tmp_path, 20)
    assert np.array_equal(file[:], images)
    assert (len(file), file.shape, file.dtype) == (20, (20, 4, 4, 3), np.uint8)


def test_one_row_masks_and_iteration(tmp_path: Path) -> None:
    file, images = image_file(tmp_path, 5)
    assert np.array_equal(file[3], images[3])
    assert np.array_equal(file[-1], images[-1])
    mask = np.array([True, False, True, False, False])
    assert np.array_equal(file[mask], images[mask])
    assert np.array_equal(list(file), images)
    for wrong in (5, -6, np.array([0, 5]), np.array([True])):
        with pytest.raises(IndexError):
            file[wrong]


def test_a_subset_of_a_subset(tmp_path: Path) -> None:
    file, images = image_file(tmp_path, 10)
    part = file.subset(np.array([7, 2, 2, 9]))
    assert np.array_equal(part[:], images[[7, 2, 2, 9]])
    again = part.subset(np.array([True, False, False, True]))
    assert again.shape == (2, 4, 4, 3)
    assert np.array_equal(again[::-1], images[[9, 7]])
    with pytest.raises(IndexError):
        again[2]
    del file, part
    assert np.array_equal(again[0], images[7]), "the file stays open for it"


def test_rows_may_be_records(tmp_path: Path) -> None:
    kind = np.dtype([("a", "<i8"), ("b", "u1", (3,))])
    data = np.zeros(4, kind)
    data["a"], data["b"] = np.arange(4), np.arange(12).reshape(4, 3)
    data.tofile(tmp_path / "facts.bin")
    assert np.array_equal(RowFile(tmp_path / "facts.bin", 4, (), kind)[[3, 1]], data[[3, 1]])


def test_a_short_or_missing_file_is_said(tmp_path: Path) -> None:
    image_file(tmp_path, 3)
    with pytest.raises(DataError, match="cut short"):
        ImageFile(tmp_path / "images.bin", 4, 4)
    with pytest.raises(DataError, match=r"none.bin cannot be read \(No such file"):
        ImageFile(tmp_path / "none.bin", 4, 4)
    file, _ = image_file(tmp_path, 3)
    (tmp_path / "images.bin").write_bytes(b"")
    with pytest.raises(DataError, match="cut short"):
        file[0]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_reading_costs_memory_for_what_is_read_alone(tmp_path: Path) -> None:
    size, count = 256, 1024  # 200 MB
    path = tmp_path / "images.bin"
    with path.open("wb") as stream:
        stream.truncate(count * size * size * 3)

    def resident() -> int:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return pages * resource.getpagesize()

    file = ImageFile(path, count, size)
    file[:8]
    before = resident()
    for start in range(0, count, 8):
        assert not file[start : start + 8].any()
    grown = resident() - before
    assert grown < 20_000_000, f"{grown} bytes more for reading all of it"


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_features_are_appended_and_read(tmp_path: Path, dtype: type) -> None:
    vectors = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    file = FeatureFile(tmp_path / "new", 6, dtype)
    assert file[:].shape == (0, 6)
    for start in range(0, 10, 4):
        file.append(vectors[start : start + 4])
    file.append(vectors[:0])
    assert file.shape == (10, 6)
    assert file[:].dtype == dtype
    assert np.array_equal(file[[9, 0, 4]], vectors[[9, 0, 4]].astype(dtype))
    assert np.array_equal(file.subset(np.array([9, 0]))[:], vectors[[9, 0]].astype(dtype))
    assert not list((tmp_path / "new").iterdir()), "nothing is left, however the process ends"


def test_features_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected \[n, 6\]"):
        FeatureFile(tmp_path, 6).append(np.zeros((2, 5), np.float32))


def test_a_full_disk_or_no_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="file cannot be written to"):
        FeatureFile(tmp_path / "file", 4)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    features = FeatureFile(tmp_path, 4)
    monkeypatch.setattr("os.pwrite", full)
    with pytest.raises(DataError, match="No space left"):
        features.append(np.zeros((2, 4), np.float32))
