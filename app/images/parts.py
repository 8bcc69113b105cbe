"""The parts of a file, counted before a decoder sees them: each costs it time, and millions fit into a few megabytes."""

import struct
from collections.abc import Iterator
from itertools import islice

from app.errors import ImageTooLarge
from app.images.tags import check_tags

# Programs write a PNG in chunks of 8 kB or more, a GIF in blocks of 255 bytes.
_MOST = 50_000
_PNG, _GIF, _TIFF = b"\x89PNG\r\n\x1a\n", b"GIF8", (b"II", b"MM")
_LAST = b"IEND"
# What leads to the tables of an AVIF's or HEIC's sequence, and where in each its count stands. Some readers
# look through one for every entry of another.
_AROUND_TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")
_TABLES = {b"stco": 4, b"co64": 4, b"stsc": 4, b"stts": 4, b"stsz": 8}
_MOST_SAMPLES = 10_000


def check_parts(data: bytes) -> None:
    """Raise ``ImageTooLarge`` for a PNG, GIF, TIFF, AVIF or HEIC of more parts than any program writes.

    Raises ``ImageUndecodable`` for a TIFF whose strips cannot be in it. What is broken is left to the decoder.
    """
    try:
        if data.startswith(_PNG):
            _check("chunks", _chunks(data))
            _check("colour profiles", _profiles(data), 1)
        elif data.startswith(_GIF):
            _check("blocks before its first frame", _blocks(data))
        elif data.startswith(_TIFF):
            check_tags(data)
        elif data[4:8] == b"ftyp":
            for samples in _samples(memoryview(data)):
                if samples > _MOST_SAMPLES:
                    raise ImageTooLarge("samples", samples, _MOST_SAMPLES)
    except (IndexError, struct.error):
        return


def _check(what: str, parts: Iterator[int], most: int = _MOST) -> None:
    found = sum(1 for _ in islice(parts, most + 1))
    if found > most:
        raise ImageTooLarge(what, found, most)


def _chunks(data: bytes) -> Iterator[int]:
    """The place of each chunk of a PNG, up to its end: what else is in the file is not read."""
    position = len(_PNG)
    while position + 8 <= len(data) and data[position + 4 : position + 8] != _LAST:
        yield position
        position += 12 + int.from_bytes(data[position : position + 4])


def _profiles(data: bytes) -> Iterator[int]:
    """The place of each colour profile of a PNG: every one is inflated, though only the last one counts."""
    return (place for place in _chunks(data) if data[place + 4 : place + 8] == b"iCCP")


def _blocks(data: bytes) -> Iterator[int]:
    """The place of each block of a GIF before its first frame."""
    flags = data[10]
    position = 13 + (3 << (flags & 7) + 1 if flags & 0x80 else 0)
    while data[position] != ord(","):
        # An extension is a label, then blocks until an empty one; anything else is passed over.
        yield position
        if data[position] == ord("!"):
            position += 2
            while data[position]:
                yield position
                position += 1 + data[position]
        position += 1


def _samples(boxes: memoryview) -> Iterator[int]:
    """The number that each table of a sequence says it has."""
    position = 0
    while position + 8 <= len(boxes):
        length, kind = struct.unpack_from(">I4s", boxes, position)
        begin = position + 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", boxes, begin)
            begin += 8
        end = position + length if length else len(boxes)
        if end < begin:
            return
        if kind in _AROUND_TABLES:
            yield from _samples(boxes[begin:end])
        elif kind in _TABLES and end <= len(boxes):
            yield struct.unpack_from(">I", boxes, begin + _TABLES[kind])[0]
        position = end
