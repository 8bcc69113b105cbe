"""JPEGs that end early though they say that they do not, and those that only look odd."""

import io
import struct
import time

import numpy as np
import pytest
from PIL import Image

from app.errors import ImageTooLarge, ImageUndecodable
from app.images.jpeg import PixelSource, read_layout
from app.images.prepare import prepare
from tests.support.images import difference, encode, photo, picture

END = b"\xff\xd9"


def noise(width: int = 300, height: int = 300) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3))
    return Image.fromarray(pixels.astype(np.uint8))


def cut(data: bytes, share: float) -> bytes:
    """The file without the rest of its pixels, but with its end."""
    start = data.rindex(b"\xff\xda") + 14 if read_layout(data).scans == 1 else 0
    kept = data[: start + int((len(data) - 2 - start) * share)]
    return kept.removesuffix(b"\xff") + END


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"subsampling": 0}, {"restart_marker_rows": 1}])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_10_a_jpeg_cut_short_is_refused_though_its_end_was_glued_on(
    mode: str, options: dict, share: float
) -> None:
    data = encode(noise().convert(mode), "JPEG", **options)
    for size in (32, 200):
        assert prepare(data, size).width == 300
        with pytest.raises(ImageUndecodable, match="cut short"):
            prepare(cut(data, share), size)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("share", [0.1, 0.3, 0.5])
def test_10_a_progressive_jpeg_without_its_last_scans_is_refused(mode: str, share: float) -> None:
    data = encode(noise().convert(mode), "JPEG", progressive=True)
    assert prepare(data, 32).width == 300
    with pytest.raises(ImageUndecodable, match="cut short"):
        prepare(cut(data, share), 32)
    # Whole scans are missing, and nothing is broken.
    last = data.rindex(b"\xff\xda")
    with pytest.raises(ImageUndecodable, match="cut short"):
        prepare(data[: data.rindex(b"\xff\xc4", 0, last)] + END, 32)


def test_what_the_last_scan_lacks_is_not_seen_and_is_no_more_than_a_nuance() -> None:
    data = encode(noise(), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    short = data[: last + (len(data) - last) // 2].removesuffix(b"\xff") + END
    assert difference(prepare(short, 150).pixels, prepare(data, 150).pixels) < 4


@pytest.mark.parametrize("size", [(1, 1), (8, 8), (17, 9), (333, 250), (1000, 31)])
@pytest.mark.parametrize("colour", [None, (128, 128, 128), (0, 0, 0)])
def test_whole_pictures_are_taken_whatever_they_show(
    size: tuple[int, int], colour: tuple[int, int, int] | None
) -> None:
    shown = noise(*size) if colour is None else Image.new("RGB", size, colour)
    for mode in ("RGB", "L", "CMYK"):
        for options in ({}, {"progressive": True}, {"optimize": True}, {"subsampling": 0}):
            data = encode(shown.convert(mode), "JPEG", **options)
            source = PixelSource(data, read_layout(data).pixels_end)
            read = Image.open(source)
            source.end_with_the_pixels()
            expected = np.asarray(Image.open(io.BytesIO(data)))
            assert np.array_equal(np.asarray(read), expected)


def test_what_stands_behind_the_end_is_passed_over() -> None:
    data = picture(1, "JPEG")
    found = prepare(data + b"<html>" + picture(2, "JPEG"), 32)
    assert np.array_equal(found.pixels, prepare(data, 32).pixels)


def test_scans_are_counted_and_what_looks_like_one_is_not() -> None:
    exif = b"Exif\0\0" + b"\xff\xda" * 3000
    assert read_layout(picture(1, "JPEG", exif=exif)).scans == 1
    assert prepare(picture(1, "JPEG", exif=exif), 32).width == 96
    layout = read_layout(picture(1, "JPEG", progressive=True))
    assert (layout.scans, layout.buffered, layout.samples) == (10, True, 1.5)


def test_a_million_segments_are_refused_before_they_are_read() -> None:
    data = picture(1, "JPEG")
    segment = b"\xff\xe1" + struct.pack(">H", 16) + b"Exif\0\0" + bytes(8)
    start = time.thread_time()
    with pytest.raises(ImageTooLarge, match="segments; the limit is 2,000"):
        prepare(data[:2] + segment * 1_000_000 + data[2:], 32)
    assert time.thread_time() - start < 0.1
    assert (
        difference(
            prepare(data[:2] + segment * 100 + data[2:], 32).pixels, prepare(data, 32).pixels
        )
        == 0
    )


HEADERS = {
    "filler": b"\xff" * 4_000_000,
    "restart markers": b"\xff\xd0" * 2_000_000,
    "junk": b"\xff\xe0\0\2" + bytes(4_000_000),
    "junk and nothing else": b"\xff\xe0\0\2" + bytes(4_000_000) + b"\xff",
    "segments behind an end": END + b"\xff\xe9\0\2" * 1_000_000,
    "reserved segments": b"\xff\xf0\xff\xff" + bytes(65_533),
    "EXIF": (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * 20,
    "starts": b"\xff\xd8" * 2_000_000,
}


@pytest.mark.parametrize("kind", HEADERS)
def test_a_header_that_is_dear_to_read_is_refused(kind: str) -> None:
    data = picture(1, "JPEG")
    rest = b"" if kind == "junk and nothing else" else data[2:]
    start = time.thread_time()
    with pytest.raises(ImageTooLarge):
        prepare(data[:2] + HEADERS[kind] + rest, 32)
    assert time.thread_time() - start < 0.3


def test_markers_without_number_behind_the_first_scan_are_refused() -> None:
    data = picture(1, "JPEG")
    with pytest.raises(ImageTooLarge, match="segments"):
        read_layout(data[:-2] + b"\xff\xd8" * 1_000_000 + END)


def test_a_little_filling_is_passed_over() -> None:
    data = picture(1, "JPEG")
    for filling in (b"\xff" * 30_000, bytes(30_000), b"\xff\xd0" * 500):
        found = prepare(data[:20] + filling + data[20:], 32)
        assert difference(found.pixels, prepare(data, 32).pixels) == 0


@pytest.mark.parametrize("length", [4, 20, 25, 160, 200])
def test_a_header_that_breaks_off_is_a_broken_image(length: int) -> None:
    data = encode(photo(1), "JPEG")
    with pytest.raises(ImageUndecodable):
        prepare(data[:length], 32)
    with pytest.raises(ImageUndecodable):
        prepare(data[:length] + END, 32)
