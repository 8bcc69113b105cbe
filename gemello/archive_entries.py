"""Entries of a zip archive that somebody else may have made: read within limits, and no further."""

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

# Of other methods the standard library unpacks a block at a time, however large it becomes.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_PIECE = 1 << 20


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


def open_archive(path: Path) -> zipfile.ZipFile:
    """Open an archive. Raises ``EntryError`` for what is none, ``OSError`` for what cannot be read."""
    try:
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as exc:
        raise EntryError("it is not a zip archive") from exc


@contextmanager
def _opened(archive: zipfile.ZipFile, name: str) -> Iterator[IO[bytes]]:
    try:
        entry = archive.getinfo(name)
        if entry.compress_type not in _METHODS:
            raise EntryError(f"{name} is packed by another method than deflate")
        with archive.open(entry) as stream:
            yield stream
    except KeyError as exc:
        raise EntryError(f"it holds no {name}") from exc
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError) as exc:
        # A locked entry is a RuntimeError, of which RecursionError is one, too.
        raise EntryError(f"{name} cannot be unpacked ({exc})") from exc
    except (ValueError, struct.error) as exc:
        raise EntryError(f"{name} cannot be unpacked") from exc
