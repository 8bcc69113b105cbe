"""Entries are read within limits; whatever is wrong with one is an EntryError that names it."""

import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gemello.archive_entries import EntryError, open_archive, read_entry, read_lines

LIMITS = 1000, 1_000_000


def write(path: Path, method: int = zipfile.ZIP_DEFLATED, **entries: bytes) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def test_entries_and_lines_come_back_as_they_went(tmp_path: Path) -> None:
    path = write(tmp_path / "a.zip", a=b"x" * 3_000_000, b=b"one\ntwo\n\nthree")
    with open_archive(path, *LIMITS) as archive:
        assert read_entry(archive, "a", 3_000_000) == b"x" * 3_000_000
        assert list(read_lines(archive, "b", 5)) == [b"one\n", b"two\n", b"\n", b"three"]


@pytest.mark.parametrize(
    "read",
    [
        lambda archive: read_entry(archive, "bomb", 1_000_000),
        lambda archive: list(read_lines(archive, "bomb", 1_000_000)),
    ],
    ids=["entry", "line"],
)
def test_hardening_no_more_than_the_limit_is_unpacked(
    tmp_path: Path, read: Callable[[zipfile.ZipFile], object]
) -> None:
    path = write(tmp_path / "a.zip", bomb=bytes(300_000_000))
    tracemalloc.start()
    with (
        open_archive(path, *LIMITS) as archive,
        pytest.raises(EntryError, match="more than 1,000,000 bytes"),
    ):
        read(archive)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_hardening_other_methods_are_not_unpacked(tmp_path: Path, method: int) -> None:
    path = write(tmp_path / "a.zip", method, bomb=bytes(100_000))
    with open_archive(path, *LIMITS) as archive, pytest.raises(EntryError, match="another method"):
        read_entry(archive, "bomb", 10)


def _locked(data: bytearray) -> None:
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[data.index(b"PK\x03\x04") + 6] |= 1


def _wrong_sum(data: bytearray) -> None:
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 16, 7)


def _broken(data: bytearray) -> None:
    at = data.index(b"PK\x03\x04") + 40
    data[at : at + 20] = b"\xff" * 20


@pytest.mark.parametrize("harm", [_locked, _wrong_sum, _broken])
def test_hardening_a_broken_entry_is_named(
    tmp_path: Path, harm: Callable[[bytearray], None]
) -> None:
    path = write(tmp_path / "a.zip", entry=bytes(range(256)) * 100)
    data = bytearray(path.read_bytes())
    harm(data)
    path.write_bytes(data)
    with (
        open_archive(path, *LIMITS) as archive,
        pytest.raises(
            EntryError, match=r"entry cannot be unpacked, as it is (damaged|locked)"
        ) as caught,
    ):
        read_entry(archive, "entry", 10**6)
    assert "ZipInfo" not in str(caught.value)


def test_what_is_missing_or_no_archive_is_said(tmp_path: Path) -> None:
    with (
        open_archive(write(tmp_path / "a.zip"), *LIMITS) as archive,
        pytest.raises(EntryError, match="it holds no entry"),
    ):
        read_entry(archive, "entry", 10)
    (tmp_path / "b.zip").write_bytes(b"text")
    with (
        pytest.raises(EntryError, match="not a zip archive"),
        open_archive(tmp_path / "b.zip", *LIMITS),
    ):
        pass
    with (
        pytest.raises(OSError, match="No such file"),
        open_archive(tmp_path / "c.zip", *LIMITS),
    ):
        pass
