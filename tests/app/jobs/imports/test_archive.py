"""Archives that lie, or unpack to more than they should: refused at once, or entry by entry."""

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.errors import ArchiveInvalid
from app.jobs.imports import archive as archive_module
from app.jobs.imports.archive import check_archive
from tests.support.images import encode, photo, picture
from tests.support.imports import begin, finished, zipped

MAX_BYTES = 20_000_000


DEFLATED = zipfile.ZIP_DEFLATED


def imported(server: httpx.Client, data: bytes) -> dict[str, Any]:
    return finished(server, begin(server, data))


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_hardening_an_entry_of_a_method_without_bounds_is_not_unpacked(
    server: httpx.Client, method: int
) -> None:
    out = io.BytesIO(zipped({"good.png": picture(1)}))
    with zipfile.ZipFile(out, "a", method) as archive:
        archive.writestr("bomb.png", bytes(200_000_000))
    data = out.getvalue()
    assert len(data) < 100_000
    tracemalloc.start()
    job = imported(server, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (job["state"], job["added"], job["failed"]) == ("succeeded", 1, 1)
    assert "another method" in job["errors"][0]["detail"]
    assert peak < 50_000_000


def test_a_deflated_entry_is_unpacked_no_further_than_the_limit(server: httpx.Client) -> None:
    data = zipped({"bomb.png": picture(1) + bytes(range(256)) * 500_000}, DEFLATED)
    tracemalloc.start()
    job = imported(server, data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert job["errors"][0]["code"] == "image_too_large"
    assert peak < 75_000_000


def test_hardening_small_archives_of_large_pictures_are_refused(server: httpx.Client) -> None:
    """Forty pictures of one colour in 0.8 MB became 780 MB on the disk."""
    plain = encode(photo(1, 3000, 2200).point(lambda _: 7), "BMP")
    data = zipped({f"{i:02}.bmp": plain for i in range(40)}, DEFLATED)
    assert len(data) < 2_000_000
    answer = server.post("/gallery/import", files={"archive": ("a.zip", data)})
    assert (answer.status_code, answer.json()["code"]) == (400, "archive_invalid")
    assert "more than 100 times its size" in answer.json()["detail"]
    assert server.get("/jobs").json()["jobs"][:1] == []


def test_the_number_of_entries_that_counts_is_the_number_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "MAX_ENTRIES", 3)
    data = bytearray(zipped({f"{i}.png": b"" for i in range(4)}))
    end = data.rindex(b"PK\x05\x06")
    struct.pack_into("<2H", data, end + 8, 1, 1)
    (tmp_path / "lies.zip").write_bytes(data)
    with pytest.raises(ArchiveInvalid, match="more than 3 entries"):
        check_archive(tmp_path / "lies.zip", MAX_BYTES)


def test_a_table_of_contents_of_any_length_takes_bounded_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_module, "_MOST_READ", 100_000)
    (tmp_path / "long.zip").write_bytes(zipped({f"{'x' * 60_000}{i}.png": b"" for i in range(3)}))
    with pytest.raises(ArchiveInvalid, match="names are too long"):
        check_archive(tmp_path / "long.zip", MAX_BYTES)


def test_the_size_that_counts_is_no_more_than_the_table_says(
    server: httpx.Client, tmp_path: Path
) -> None:
    data = bytearray(zipped({"a.png": picture(1), "b.png": picture(2)}, DEFLATED))
    # The unpacked size stands 24 bytes into an entry of the table.
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 100)
    job = imported(server, bytes(data))
    assert (job["added"], job["failed"]) == (1, 1)
    struct.pack_into("<L", data, data.index(b"PK\x01\x02") + 24, 3_000_000_000)
    (tmp_path / "lies.zip").write_bytes(data)
    check_archive(tmp_path / "lies.zip", MAX_BYTES)
    with pytest.raises(ArchiveInvalid, match="unpack to"):
        check_archive(tmp_path / "lies.zip", 10**9)


def test_an_archive_without_an_image_is_refused(server: httpx.Client) -> None:
    data = zipped({"notes.txt": b"text", ".hidden.png": picture(1)})
    answer = server.post("/gallery/import", files={"archive": ("a.zip", data)})
    assert (answer.status_code, answer.json()["code"]) == (400, "archive_invalid")
    assert "none of its files is called" in answer.json()["detail"]


def test_hardening_what_is_wrong_with_an_entry_is_said_plainly(server: httpx.Client) -> None:
    data = bytearray(zipped({"\x1b[31mred\x9b\u202e.png": picture(1), "z.png": picture(2)}))
    first, second = data.index(b"PK\x01\x02"), data.rindex(b"PK\x01\x02")
    data[first + 8] |= 1
    struct.pack_into("<L", data, second + 16, 7)
    errors = imported(server, bytes(data))["errors"]
    assert [error["item"] for error in errors] == ["[31mred.png", "z.png"]
    assert "locked with a password" in errors[0]["detail"]
    assert "is damaged" in errors[1]["detail"]
    assert not any("ZipInfo" in error["detail"] for error in errors)


def test_the_errors_of_a_job_are_short_whatever_entries_are_called(server: httpx.Client) -> None:
    names = [f"{'x' * 60_000}/{i}.png" for i in range(50)]
    job = imported(server, zipped(dict.fromkeys(names, b"no image")))
    assert (job["failed"], len(job["errors"])) == (50, 50)
    assert {len(error["item"]) for error in job["errors"]} == {500}
