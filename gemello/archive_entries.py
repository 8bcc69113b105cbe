"""Entries of a zip archive that somebody else may have made: read within limits, and no further."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# Of other methods the standard library unpacks a block at a time, however large it becomes.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE = 1 << 20
_ENTRY = b"PK\x01\x02"


class EntryError(Exception):
    """An entry is missing, broken, locked, or larger than it may be; the text says which, and why."""


def read_entry(archive: zipfile.ZipFile, name: str, most: int) -> bytes:
    """Return an entry's bytes. Raises ``EntryError``, also where there are more than ``most``."""
    data = bytearray()
    with _opened(archive, name) as stream:
        while piece := stream.read(_PIECE):
            data += piece
            if len(data) > most:
                raise EntryError(f"{name} has more than {most:,} bytes")
    return bytes(data)


def read_lines(archive: zipfile.ZipFile, name: str, most: int) -> Iterator[bytes]:
    """Yield an entry's lines. Raises ``EntryError``, also where one has more than ``most`` bytes."""
    with _opened(archive, name) as stream:
        while line := stream.readline(most + 1):
            if len(line) > most:
                raise EntryError(f"{name} has a line of more than {most:,} bytes")
            yield line


@contextmanager
def open_archive(path: Path, most_entries: int, most_bytes: int) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose table of contents has no more than so many entries and bytes.

    Raises ``EntryError`` for what is not such an archive, ``OSError`` for what cannot be read.
    """
    with _Bounded(path, most_entries, most_bytes) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as exc:
            raise EntryError("it is not a zip archive, or its table of contents is broken") from exc
        with archive:
            yield archive


def is_locked(entry: zipfile.ZipInfo) -> bool:
    """Return whether an entry is locked with a password."""
    return bool(entry.flag_bits & 1)


class _Bounded(io.FileIO):
    """A file of which an archive's table of contents is read within limits.

    Every entry costs memory before the first is read. The table says how long it is and how many
    entries it has, and may lie: what counts is what is read.
    """

    def __init__(self, path: Path, most_entries: int, most_bytes: int) -> None:
        super().__init__(path)
        self._entries, self._bytes = most_entries, most_bytes

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(min(size, self._bytes + 1) if size and size >= 0 else self._bytes + 1)
        if len(data) > self._bytes or data.count(_ENTRY) > self._entries:
            raise EntryError(
                f"it has more than {self._entries:,} entries, or their names are too long"
            )
        return data


@contextmanager
def _opened(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    try:
        entry = archive.getinfo(name)
        if entry.compress_type not in METHODS:
            raise EntryError(f"{name} is packed by another method than deflate")
        if is_locked(entry):
            raise EntryError(f"{name} cannot be unpacked, as it is locked with a password")
        with archive.open(entry) as stream:
            yield stream
    except KeyError as exc:
        raise EntryError(f"it holds no {name}") from exc
    except (
        zipfile.BadZipFile,
        zlib.error,
        RuntimeError,
        NotImplementedError,
        EOFError,
        ValueError,
        struct.error,
    ) as exc:
        raise EntryError(f"{name} cannot be unpacked, as it is damaged") from exc
