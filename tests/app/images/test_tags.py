"""Tags of a TIFF that lead a decoder to more than the file holds, and those that look odd and are good."""

import struct
from collections.abc import Sequence

import numpy as np
import pytest
from PIL import Image

from app.errors import ImageTooLarge, ImageUndecodable
from app.images.prepare import prepare
from app.images.tags import check_tags
from tests.support.images import difference, encode, photo

# Number, type, values.
Tag = tuple[int, int, Sequence[int]]
SHORT, LONG, RATIONAL = 3, 4, 5
FORMS = {SHORT: "H", LONG: "I", RATIONAL: "Q"}
PACKBITS = 32_773


def tiff(*tags: Tag, order: str = "<", behind: bytes = b"") -> bytes:
    """A TIFF of these tags, the values of each behind them all, then ``behind``."""
    mark = b"II*\0" if order == "<" else b"MM\0*"
    directory, values = struct.pack(order + "H", len(tags)), b""
    begin = 8 + 2 + 12 * len(tags) + 4
    for number, kind, numbers in sorted(tags):
        packed = struct.pack(f"{order}{len(numbers)}{FORMS[kind]}", *numbers)
        place = struct.pack(order + "I", begin + len(values)) if len(packed) > 4 else packed
        directory += struct.pack(order + "HHI", number, kind, len(numbers)) + place.ljust(4, b"\0")
        values += packed if len(packed) > 4 else b""
    return mark + struct.pack(order + "I", 8) + directory + bytes(4) + values + behind


def strips(count: int, length: int, order: str = "<") -> bytes:
    """A picture of ``count`` rows, each of them the same ``length`` bytes: steps that draw nothing, then a pixel."""

    def made(place: int) -> bytes:
        return tiff(
            (256, LONG, [1]),
            (257, LONG, [count]),
            (258, SHORT, [8]),
            (259, SHORT, [PACKBITS]),
            (262, SHORT, [1]),
            (273, LONG, [place] * count),
            (277, SHORT, [1]),
            (278, LONG, [1]),
            (279, LONG, [length] * count),
            order=order,
            behind=b"\x80" * (length - 2) + b"\0\x07",
        )

    return made(len(made(0)) - length)


@pytest.mark.parametrize("order", ["<", ">"])
def test_strips_that_are_all_the_same_large_one_are_refused(order: str) -> None:
    assert prepare(strips(50, 2, order), 32).height == 50
    with pytest.raises(ImageUndecodable, match="strips together are longer than the file"):
        prepare(strips(12_000, 1_000_000, order), 32)


def test_a_tag_of_one_number_that_holds_a_million_is_refused() -> None:
    size = [(256, LONG, [1]), (257, LONG, [1])]
    for number, kind in ((258, SHORT), (274, SHORT), (282, RATIONAL)):
        with pytest.raises(ImageTooLarge, match=f"values in its tag {number}; the limit is 50,000"):
            prepare(tiff(*size, (number, kind, [1] * 1_000_000)), 32)


def test_tags_that_hide_the_others_are_refused() -> None:
    filler = [(1000 + index, SHORT, [1]) for index in range(2_000)]
    with pytest.raises(ImageTooLarge, match="2,000 tags; the limit is 1,000"):
        prepare(tiff(*filler), 32)


def test_a_version_that_pillow_and_libtiff_read_differently_is_checked_both_ways() -> None:
    hidden = strips(12_000, 1_000_000, ">")
    with pytest.raises(ImageUndecodable):
        check_tags(b"MM*\0" + hidden[4:])
    big = b"MM\0+" + struct.pack(">HHQQ", 8, 0, 16, 2_000)
    with pytest.raises(ImageTooLarge, match="2,000 tags"):
        check_tags(big)


@pytest.mark.parametrize("mode", ["RGB", "L", "1", "I;16", "CMYK", "F", "P"])
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_deflate", "packbits"])
def test_what_programs_write_is_taken(mode: str, compression: str | None) -> None:
    image = photo(1, 300, 200).convert("L" if mode == "I;16" else mode)
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image).astype(np.uint16) << 8)
    options = {"compression": compression} if compression else {}
    data = encode(image, "TIFF", description="a" * 70_000, **options)
    assert prepare(data, 32).width == 300
    if mode == "RGB":
        assert difference(prepare(data, 32).pixels, prepare(encode(image), 32).pixels) == 0
