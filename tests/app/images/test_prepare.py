"""Untrusted bytes → model input: formats, colours, orientation, and every limit."""

import io
import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from app.errors import ImageError, ImageTooLarge, ImageTypeUnsupported, ImageUndecodable
from app.images.formats import SUPPORTED
from app.images.limits import ImageLimits
from app.images.prepare import PreparedImage, prepare, prepare_file, thumbnail
from tests.support.heic import grid
from tests.support.images import difference, encode, photo, picture
from tests.support.paths import DATA

FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
}


def png(width: int, height: int, *chunks: tuple[bytes, bytes]) -> bytes:
    """A PNG's header and any chunks, with right checksums."""
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), *chunks):
        data += struct.pack(">I", len(body)) + kind + body
        data += struct.pack(">I", zlib.crc32(kind + body))
    return data


def jpeg_header(width: int, height: int) -> bytes:
    """A JPEG whose frame header claims a size, and hardly anything after it."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes([1, 17, 0, 2, 17, 0, 3, 17, 0])
    return (
        b"\xff\xd8\xff\xc0"
        + struct.pack(">H", len(frame) + 2)
        + frame
        + b"\xff\xda\0\x0c"
        + bytes(20)
    )


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_by_its_content(kind: str) -> None:
    prepared = prepare(picture(1, kind), 32)
    assert (prepared.width, prepared.height) == (96, 64)
    assert prepared.media_type == FORMATS[kind]
    assert (prepared.pixels.shape, prepared.pixels.dtype) == ((32, 32, 3), np.uint8)
    assert difference(prepared.pixels, prepare(picture(1), 32).pixels) < 6


def test_a_phones_jpeg_with_a_second_picture_is_a_jpeg() -> None:
    data = encode(photo(1), "MPO", save_all=True, append_images=[photo(2)], quality=95)
    prepared = prepare(data, 32)
    assert prepared.media_type == "image/jpeg"
    assert difference(prepared.pixels, prepare(picture(1), 32).pixels) < 4
    assert Image.open(io.BytesIO(thumbnail(data, 48))).size == (48, 32)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_all_eight_orientations_give_one_upright_picture(kind: str) -> None:
    upright = photo(1, 600, 400)
    stored_as = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    expected = prepare(encode(upright), 32)
    for orientation, operation in stored_as.items():
        stored = upright if operation is None else upright.transpose(operation)
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        data = encode(stored, kind, exif=exif, **({"quality": 95} if kind != "TIFF" else {}))
        prepared = prepare(data, 32)
        assert difference(prepared.pixels, expected.pixels) < 3, orientation
        assert (prepared.width, prepared.height) == (600, 400), orientation
        assert Image.open(io.BytesIO(thumbnail(data, 60))).size == (60, 40), orientation


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "block",
    [
        {"exif": b"Exif\0\0garbage that is no TIFF"},
        {"exif": b"Exif\0\0II*\0\xff\xff\xff\xff"},
        {"icc_profile": b"no profile at all"},
    ],
)
def test_a_corrupt_block_beside_good_pixels_costs_nothing(kind: str, block: dict) -> None:
    prepared = prepare(picture(1, kind, **block), 32)
    assert difference(prepared.pixels, prepare(picture(1, kind), 32).pixels) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (31, 33)])
def test_odd_shapes_are_images_too(size: tuple[int, int]) -> None:
    for kind in ("PNG", "JPEG"):
        data = encode(Image.new("RGB", size, (200, 100, 50)), kind)
        prepared = prepare(data, 32)
        assert (prepared.width, prepared.height) == size
        assert difference(prepared.pixels, np.full((32, 32, 3), (200, 100, 50))) < 2
        small = Image.open(io.BytesIO(thumbnail(data, 64)))
        assert max(small.size) <= 64
        assert min(small.size) >= 1


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_the_first_frame_of_an_animation_counts(kind: str) -> None:
    frames = [photo(i, 64, 64) for i in range(1, 200)]
    data = encode(photo(0, 64, 64), kind, save_all=True, append_images=frames)
    start = time.thread_time()
    prepared = prepare(data, 32)
    assert time.thread_time() - start < 0.2
    still = prepare(encode(photo(0, 64, 64), kind), 32)
    assert difference(prepared.pixels, still.pixels) < 4


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_a_file_cut_short_is_refused_never_filled_with_grey(kind: str, share: float) -> None:
    # Bigger than a decoder's buffer, so that the cut falls into the pixels.
    noise = np.random.default_rng(0).integers(0, 256, (300, 300, 3)).astype(np.uint8)
    data = encode(Image.fromarray(noise), kind)
    with pytest.raises(ImageUndecodable):
        prepare(data[: int(len(data) * share)], 32)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"BM",
        b"II*\0",
        b"RIFF\x10\0\0\0WEBP",
        b"\0\0\0\x1cftypavif",
    ],
)
def test_magic_alone_is_a_broken_image(data: bytes) -> None:
    with pytest.raises(ImageUndecodable):
        prepare(data, 32)


@pytest.mark.parametrize(
    "data",
    [
        b"\0",
        b"plain text",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"%PDF-1.7\n",
        b"8BPS\0\1" + bytes(100),
        b"SIMPLE  =                    T" + b" " * 2850,
        b"PK\3\4" + bytes(100),
    ],
)
def test_another_type_is_refused_and_the_known_ones_are_named(data: bytes) -> None:
    with pytest.raises(ImageTypeUnsupported, match="JPEG, PNG, WebP") as caught:
        prepare(data, 32)
    assert caught.value.supported == SUPPORTED


@pytest.mark.parametrize(
    "data",
    [
        png(100_000, 100_000, (b"IDAT", zlib.compress(bytes(1000)))),
        jpeg_header(65_500, 65_500),
    ],
    ids=["PNG", "JPEG"],
)
def test_a_pixel_bomb_is_refused_before_it_is_unpacked(data: bytes) -> None:
    start = time.thread_time()
    with pytest.raises(ImageTooLarge, match="MAX_IMAGE_PIXELS") as caught:
        prepare(data, 32)
    assert time.thread_time() - start < 0.05
    assert caught.value.actual >= 65_500**2


def test_a_scan_bomb_is_refused_before_it_is_decoded() -> None:
    data = picture(1, "JPEG", progressive=True)
    start_of_scan = data.rindex(b"\xff\xda")
    end = data.rindex(b"\xff\xd9")
    bomb = data[:end] + data[start_of_scan:end] * 250 + data[end:]
    start = time.thread_time()
    with pytest.raises(ImageTooLarge, match="MAX_JPEG_SCANS"):
        prepare(bomb, 32)
    assert time.thread_time() - start < 0.1
    assert prepare(data, 32).media_type == "image/jpeg"


def test_a_text_that_inflates_is_refused_or_passed_over() -> None:
    text = b"Comment\0\0" + zlib.compress(bytes(100_000_000), 9)
    good = picture(1)
    length = struct.pack(">I", len(text))
    chunk = length + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    start = time.thread_time()
    with pytest.raises(ImageUndecodable):
        prepare(good[:33] + chunk + good[33:], 32)
    assert time.thread_time() - start < 0.5


def test_bytes_and_pixels_are_limited_to_the_last_one() -> None:
    data = picture(1)
    exact = ImageLimits(max_bytes=len(data), max_pixels=96 * 64)
    assert prepare(data, 32, exact).width == 96
    with pytest.raises(ImageTooLarge, match="MAX_IMAGE_BYTES"):
        prepare(data, 32, ImageLimits(max_bytes=len(data) - 1))
    with pytest.raises(ImageTooLarge, match="6,144 pixels; the limit is 6,143"):
        prepare(data, 32, ImageLimits(max_pixels=96 * 64 - 1))
    with pytest.raises(ImageTooLarge):
        thumbnail(data, 32, ImageLimits(max_pixels=96 * 64 - 1))


def test_a_large_jpeg_decoded_at_a_scale_looks_as_it_would_in_full() -> None:
    large = photo(1, 3000, 2000)
    scaled = prepare(encode(large, "JPEG", quality=95), 128)
    assert (scaled.width, scaled.height) == (3000, 2000)
    assert difference(scaled.pixels, prepare(encode(large), 128).pixels) < 1.5


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_flipped_bytes_give_an_image_or_one_of_our_errors() -> None:
    random = np.random.default_rng(7)
    originals = [picture(i, kind) for i, kind in enumerate(FORMATS)]
    outcomes = {"image": 0, "error": 0}
    for i in range(1050):
        data = bytearray(originals[i % len(originals)])
        # Half of the flips hit the header, where they hurt most.
        reach = len(data) if i % 2 else min(64, len(data))
        for place in random.integers(0, reach, random.integers(1, 5)):
            data[place] = random.integers(0, 256)
        try:
            prepared = prepare(bytes(data), 32)
        except ImageError:
            outcomes["error"] += 1
        else:
            assert isinstance(prepared, PreparedImage)
            assert prepared.pixels.shape == (32, 32, 3)
            outcomes["image"] += 1
    assert min(outcomes.values()) > 50


def test_a_thumbnail_keeps_the_shape_and_never_grows() -> None:
    small = Image.open(io.BytesIO(thumbnail(encode(photo(1, 400, 100)), 80)))
    assert (small.format, small.size) == ("WEBP", (80, 20))
    assert Image.open(io.BytesIO(thumbnail(picture(1), 500))).size == (96, 64)


def test_a_file_that_cannot_be_read_is_no_image(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    with pytest.raises(ImageUndecodable, match="cannot be read"):
        prepare_file(path, 32)
    path.write_bytes(picture(1))
    assert difference(prepare_file(path, 32).pixels, prepare(picture(1), 32).pixels) == 0


def test_a_heic_is_read_by_its_content() -> None:
    data = (DATA / "photo7.heic").read_bytes()
    found = prepare(data, 32)
    assert (found.width, found.height, found.media_type) == (96, 64, "image/heic")
    assert difference(found.pixels, prepare(encode(photo(7)), 32).pixels) < 4
    assert thumbnail(data, 32).startswith(b"RIFF")
    for cut in (16, 100, 500, len(data) - 100):
        with pytest.raises(ImageUndecodable):
            prepare(data[:cut], 32)


def test_a_heic_of_many_tiles_is_read_as_a_whole() -> None:
    data = grid(2, 1)
    assert (prepare(data, 32).width, prepare(data, 32).height) == (4800, 1600)
    assert Image.open(io.BytesIO(thumbnail(data, 48))).size == (48, 16)
