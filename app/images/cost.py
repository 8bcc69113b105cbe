"""What decoding will take, told from the header.

The figures are what Pillow 13 and its codecs were measured to take; ``tests/app/images/test_cost.py``
holds them to that, format by format.
"""

from dataclasses import dataclass

from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from app.images.jpeg import JpegLayout

# Whatever the picture: row buffers, the reduced copy that is resized to model size.
_BASE = 4_000_000
# Bytes for each pixel that a codec takes beside Pillow's own picture (canvases, planes, what it hands
# over), and those that it keeps afterwards.
_CODEC = {"GIF": (1, 1), "WEBP": (14, 8), "AVIF": (10, 6), "HEIF": (8, 6)}
# Nanoseconds for each pixel, roughly: what tells heavy pictures from light ones.
_PACE = {"JPEG": 4, "PNG": 35, "GIF": 20, "BMP": 10, "TIFF": 30, "WEBP": 30, "AVIF": 20, "HEIF": 60}
_PACE_OF_SCAN = 1
# And for each byte of the file, which may be made of nothing but steps that draw no pixel.
_PACE_OF_BYTES = 5
_HOLDING_LOCK = frozenset({"WEBP", "AVIF", "HEIF"})
# A container that says one size, around a stream that may say another.
_NOT_BOUND = frozenset({"AVIF", "HEIF"})
# Run-length coded BMPs are unpacked by a loop of Python.
_RLE, _RLE_PACE, _RLE_PACE_OF_BYTES, _RLE_COPIES = "bmp_rle", 120, 600, 3
# Pillow's pictures have a pointer to each row; beside the copies there are as many at once.
_POINTER, _PICTURES = 8, 3
_TILE_WIDTH, _TILE_LENGTH, _ROWS_PER_STRIP, _BITS = 322, 323, 278, 258


@dataclass(frozen=True, slots=True)
class Cost:
    """Estimates of what decoding one picture takes."""

    memory: int
    """Bytes at the peak, the file's own included."""
    seconds: float
    """Of one core."""
    holds_lock: bool
    """Whether no other thread of the interpreter gets on meanwhile."""
    binding: bool
    """Whether the decoder is bound by the header; else it may find a larger picture inside."""


def cost_of(
    image: ImageFile,
    kind: str,
    size: tuple[int, int],
    file_size: int,
    *,
    jpeg: JpegLayout | None,
    copies: int,
) -> Cost:
    """Estimate what decoding ``image`` takes, which has been opened but not loaded.

    ``kind`` is its format and ``size`` its own, before it is decoded at a smaller one. ``copies`` are
    made of it afterwards: one where it is turned upright, one where a part is cut out.
    """
    whole, pixels = size[0] * size[1], image.width * image.height
    stored = pixels * _stored(image.mode)
    codec, kept = _CODEC.get(kind, (0, 0))
    decoding = whole * codec + stored
    converting = whole * kept + stored + pixels * (_converted(image) + 4 * copies)
    seconds = 1e-9 * (whole * _PACE[kind] + file_size * _PACE_OF_BYTES)
    holds_lock = kind in _HOLDING_LOCK
    if jpeg:
        seconds += 1e-9 * whole * jpeg.scans * _PACE_OF_SCAN
        # Coefficients of two bytes are kept at full size, whatever size they are decoded at.
        decoding += int(2 * whole * jpeg.samples) if jpeg.buffered else 0
    if isinstance(image, TiffImageFile) and image.use_load_libtiff:
        decoding += block_pixels(image) * sum(image.tag_v2.get(_BITS, (8,))) // 8
    if any(tile[0] == _RLE for tile in image.tile):
        decoding += whole * _RLE_COPIES
        seconds = 1e-9 * (whole * _RLE_PACE + file_size * _RLE_PACE_OF_BYTES)
        holds_lock = True
    rows = _POINTER * image.height * (_PICTURES + copies)
    memory = _BASE + file_size + rows + max(decoding, converting)
    return Cost(memory, seconds, holds_lock, binding=kind not in _NOT_BOUND)


def block_pixels(image: TiffImageFile) -> int:
    """Return the pixels of one tile or strip, which is unpacked whole, however small the picture."""
    tags = image.tag_v2
    if _TILE_WIDTH in tags:
        return int(tags[_TILE_WIDTH]) * int(tags[_TILE_LENGTH])
    return image.width * min(int(tags.get(_ROWS_PER_STRIP, image.height)), image.height)


def _stored(mode: str) -> int:
    """Bytes for each pixel of Pillow's own picture."""
    if mode in ("1", "L", "P"):
        return 1
    return 2 if mode.startswith("I;16") else 4


def _converted(image: Image.Image) -> int:
    """Bytes for each pixel of the copies that ``colour.to_rgb`` makes."""
    if image.mode.startswith("I;16"):
        return 12
    if image.mode == "I":
        return 18
    profile = 4 if image.info.get("icc_profile") else 0
    if image.has_transparency_data:
        return (0 if image.mode == "RGBA" else 4) + 4 + 2 * profile
    return (0 if image.mode == "RGB" else 4) + profile
