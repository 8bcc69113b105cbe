"""An AVIF of several pictures whose tables say that they are many more."""

import struct
from collections.abc import Iterator

from tests.support.images import encode, photo

_AROUND_TABLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl")


def sequence(samples: int) -> bytes:
    """A sequence of ``samples`` chunks of one sample each, in as many runs: dear to whoever multiplies the two."""
    frames = [photo(seed, 64, 64) for seed in range(3)]
    return _edited(encode(frames[0], "AVIF", save_all=True, append_images=frames[1:]), samples)


def _edited(data: bytes, samples: int) -> bytes:
    runs = b"".join(struct.pack(">III", 10**7 + run, 1, 1) for run in range(samples - 1))
    tables = {
        b"stsc": struct.pack(">IIIII", 0, samples, 1, 1, 1) + runs,
        b"stco": struct.pack(">II", 0, samples) + struct.pack(">I", 40) * samples,
        b"stsz": struct.pack(">III", 0, 1, samples),
        b"stts": struct.pack(">IIII", 0, 1, samples, 1),
    }
    edited = b""
    for kind, body in _boxes(data):
        inner = _edited(body, samples) if kind in _AROUND_TABLES else tables.get(kind, body)
        edited += struct.pack(">I", len(inner) + 8) + kind + inner
    return edited


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        yield kind, data[position + 8 : position + length]
        position += length
