"""Files of a million parts: refused before they are read, and those of a few thousand are not."""

import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from app.errors import ImageTooLarge
from app.images.limits import ImageLimits
from app.images.parts import check_parts
from app.images.prepare import prepare
from tests.support.avif import sequence
from tests.support.images import encode, photo, picture


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def refused(data: bytes, what: str) -> None:
    start = time.thread_time()
    with pytest.raises(ImageTooLarge, match=f"{what}.*; the limit is 50,000"):
        prepare(data, 32)
    assert time.thread_time() - start < 0.3


def test_a_png_of_a_million_chunks_is_refused() -> None:
    good = picture(1)
    refused(good[:33] + chunk(b"prIv", b"") * 1_000_000 + good[33:], "chunks")
    many = good[:33] + chunk(b"prIv", b"") * 5_000 + good[33:] + bytes(2_000_000)
    assert np.array_equal(prepare(many, 32).pixels, prepare(good, 32).pixels)


def test_a_png_of_two_colour_profiles_is_refused() -> None:
    good, profile = picture(1), chunk(b"iCCP", b"a\0\0" + zlib.compress(bytes(1_000_000), 9))
    with pytest.raises(ImageTooLarge, match="2 colour profiles; the limit is 1"):
        prepare(good[:33] + profile * 2_000 + good[33:], 32)
    assert np.array_equal(
        prepare(good[:33] + profile + good[33:], 32).pixels, prepare(good, 32).pixels
    )


def test_a_gif_of_a_million_comments_is_refused() -> None:
    good = encode(photo(1), "GIF")
    first = good.index(b",", 13 + 3 * 256 if good[10] & 0x80 else 13)
    refused(good[:first] + b"!\xfe\1x\0" * 1_000_000 + good[first:], "blocks")
    many = good[:first] + b"!\xfe" + b"\1x" * 5_000 + b"\0" + good[first:]
    assert np.array_equal(prepare(many, 32).pixels, prepare(good, 32).pixels)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_of_a_million_strips_is_refused(order: str, big: bool) -> None:
    entry = "HHQQ" if big else "HHII"
    tags = [(256, 4, 1, 1), (257, 4, 1, 2_400_000), (273, 4, 2_400_000, 300), (278, 4, 1, 1)]
    start = struct.pack(order + ("2sHHHQ" if big else "2sHI"), *_start(order, big))
    directory = struct.pack(order + ("Q" if big else "H"), len(tags))
    data = start + directory + b"".join(struct.pack(order + entry, *tag) for tag in tags)
    refused(data + bytes(2_400_000 * 4), "strips")


def _start(order: str, big: bool) -> tuple[bytes, *tuple[int, ...]]:
    mark = b"II" if order == "<" else b"MM"
    return (mark, 43, 8, 0, 16) if big else (mark, 42, 8)


def test_a_tile_larger_than_any_picture_is_refused() -> None:
    from tests.app.images.test_cost import tiff_with_a_tile

    data = encode(photo(1, 64, 64), "TIFF", compression="tiff_lzw")
    with pytest.raises(ImageTooLarge, match="MAX_IMAGE_PIXELS"):
        prepare(tiff_with_a_tile(data, 20_000), 32)


def test_a_sequence_of_many_samples_is_refused() -> None:
    with pytest.raises(ImageTooLarge, match="20,000 samples; the limit is 10,000"):
        prepare(sequence(20_000), 32)
    check_parts(sequence(10_000))


def test_many_strips_are_read() -> None:
    tall = Image.new("RGB", (2, 20_000), (9, 99, 199))
    data = encode(tall, "TIFF", compression="tiff_lzw", tiffinfo={278: 1})
    assert prepare(data, 32, ImageLimits()).height == 20_000


@pytest.mark.parametrize("length", [6, 8, 12, 13, 20, 33, 40])
@pytest.mark.parametrize("kind", ["PNG", "GIF", "TIFF", "AVIF"])
def test_what_breaks_off_is_left_to_the_decoder(kind: str, length: int) -> None:
    check_parts(encode(photo(1), kind)[:length])
