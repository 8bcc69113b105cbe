"""A large HEIC, made of one small one: a grid of grids of tiles that all show the same, as phones store theirs."""

import struct
from collections.abc import Sequence

from tests.support.paths import DATA

_TILE = (96, 64)
_INNER = 25


def grid(columns: int, rows: int) -> bytes:
    """A HEIC of ``columns`` × ``rows`` grids of 2400 × 1600 pixels, ``photo7.heic`` everywhere."""
    small = (DATA / "photo7.heic").read_bytes()
    pixels = small[small.index(b"mdat") + 4 :]
    inner = (_TILE[0] * _INNER, _TILE[1] * _INNER)
    whole = (inner[0] * columns, inner[1] * rows)
    layouts = _layout(columns, rows, whole) + _layout(_INNER, _INNER, inner)
    # The whole, then the grids that it is made of, then the tiles that each of those is made of.
    grids = range(2, 2 + columns * rows)
    tiles = range(grids.stop, grids.stop + _INNER**2)
    properties = [
        _found(small, b"hvcC"),
        *(_full(b"ispe", _size(s)) for s in (_TILE, inner, whole)),
    ]
    kinds = [
        (1, b"grid"),
        *((item, b"grid") for item in grids),
        *((item, b"hvc1") for item in tiles),
    ]
    has = [(1, [4]), *((item, [3]) for item in grids), *((item, [1, 2]) for item in tiles)]
    half = len(layouts) // 2
    places = [(1, 0, half), *((item, half, half) for item in grids)]
    places += [(item, len(layouts), len(pixels)) for item in tiles]
    parts = [
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
        _full(b"pitm", struct.pack(">H", 1)),
        _full(b"iinf", struct.pack(">H", len(kinds)), *(_entry(*kind) for kind in kinds)),
        _full(b"iref", _made_of(1, grids), *(_made_of(item, tiles) for item in grids)),
        _box(
            b"iprp",
            _box(b"ipco", *properties),
            _full(b"ipma", struct.pack(">I", len(has)), *(_has(*each) for each in has)),
        ),
    ]
    start = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")
    # Once with places that are not right yet, to learn how long it is.
    begin = len(start) + len(_meta(parts, places, 0)) + 8
    return start + _meta(parts, places, begin) + _box(b"mdat", layouts, pixels)


def _meta(parts: Sequence[bytes], places: Sequence[tuple[int, int, int]], begin: int) -> bytes:
    body = struct.pack(">HH", 0x4400, len(places))
    for item, offset, length in places:
        body += struct.pack(">HHHII", item, 0, 1, begin + offset, length)
    return _full(b"meta", *parts, _full(b"iloc", body))


def _layout(columns: int, rows: int, size: tuple[int, int]) -> bytes:
    return struct.pack(">BBBB", 0, 1, rows - 1, columns - 1) + _size(size)


def _size(size: tuple[int, int]) -> bytes:
    return struct.pack(">II", *size)


def _made_of(item: int, others: Sequence[int]) -> bytes:
    return _box(b"dimg", struct.pack(f">HH{len(others)}H", item, len(others), *others))


def _entry(item: int, kind: bytes) -> bytes:
    return _box(b"infe", b"\2\0\0\0", struct.pack(">HH", item, 0), kind + b"\0")


def _has(item: int, properties: Sequence[int]) -> bytes:
    return struct.pack(">HB", item, len(properties)) + bytes(properties)


def _full(kind: bytes, *parts: bytes) -> bytes:
    return _box(kind, bytes(4), *parts)


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def _found(data: bytes, kind: bytes) -> bytes:
    place = data.index(kind) - 4
    return data[place : place + struct.unpack_from(">I", data, place)[0]]


def greedy(items: int, extents: int, body: bytes) -> bytes:
    """``photo7.heic`` with ``items`` pieces of metadata, each of which says that it is ``body``, ``extents`` times."""
    small = (DATA / "photo7.heic").read_bytes()
    pixels = small[small.index(b"mdat") + 4 :]
    more = range(2, 2 + items)
    kinds = [(1, b"hvc1"), *((item, b"mime\0application/x") for item in more)]
    parts = [
        _full(b"hdlr", bytes(4) + b"pict" + bytes(13)),
        _full(b"pitm", struct.pack(">H", 1)),
        _full(b"iinf", struct.pack(">H", len(kinds)), *(_entry(*kind) for kind in kinds)),
        _full(b"iref", *(_box(b"cdsc", struct.pack(">HHH", item, 1, 1)) for item in more)),
        _box(
            b"iprp",
            _box(b"ipco", _found(small, b"hvcC"), _full(b"ispe", _size(_TILE))),
            _full(b"ipma", struct.pack(">I", 1), _has(1, [1, 2])),
        ),
    ]
    start = _box(b"ftyp", b"heic" + bytes(4) + b"mif1heic")

    def meta(begin: int) -> bytes:
        places = struct.pack(">HHHHHII", 0x4400, 1 + items, 1, 0, 1, begin, len(pixels))
        repeated = struct.pack(">II", begin + len(pixels), len(body)) * extents
        for item in more:
            places += struct.pack(">HHH", item, 0, extents) + repeated
        return _full(b"meta", *parts, _full(b"iloc", places))

    return start + meta(len(start) + len(meta(0)) + 8) + _box(b"mdat", pixels, body)
