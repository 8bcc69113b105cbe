"""Untrusted bytes → RGB uint8: every limit, and the one way to model size that training and serving share.

Pillow's exceptions end here; what leaves is an array or one of our ``ImageError``s.
"""

import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pi_heif
from PIL import ExifTags, Image, UnidentifiedImageError

from app.errors import ImageError, ImageTooLarge, ImageTypeUnsupported, ImageUndecodable
from app.images.box import Box
from app.images.colour import to_rgb
from app.images.formats import MEDIA_TYPES, MULTI_PICTURE, SUPPORTED, has_known_magic
from app.images.limits import DEFAULT_LIMITS, ImageLimits
from app.images.square import Resize, square

Pixels = npt.NDArray[np.uint8]


# EXIF orientation → what makes the picture upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset({5, 6, 7, 8})
# A side that no JPEG has: asking for it decodes at full scale.
_WHOLE = 65_536

# iPhones' format; the package decodes only, and so comes without the encoder's licence.
pi_heif.register_heif_opener(thumbnails=False)
# ``ImageLimits.max_pixels`` is checked before anything is decoded, and is stricter.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image at model size, and what it was before.

    ``pixels`` is uint8 [size, size, 3], RGB; ``width`` and ``height`` are the upright original's.
    """

    pixels: Pixels
    width: int
    height: int
    media_type: str


@dataclass(frozen=True, slots=True)
class _Opened:
    image: Image.Image
    width: int
    height: int
    media_type: str


def prepare(
    data: bytes,
    size: int,
    limits: ImageLimits = DEFAULT_LIMITS,
    box: Box | None = None,
    resize: Resize = "stretch",
) -> PreparedImage:
    """Decode ``data`` and make it ``size`` × ``size`` by ``resize``: the preprocessing of every model.

    With a ``box`` that part of the upright picture is taken, as if it had been cut out before.

    A JPEG much larger than ``size`` is decoded at a reduced scale, never below twice ``size``.
    Raises ``ImageUndecodable``, ``ImageTypeUnsupported`` or ``ImageTooLarge``.
    """
    least = min(box.right - box.left, box.bottom - box.top) if box else 1
    opened = _open(data, limits, at_least=min(math.ceil(2 * size / least), _WHOLE))
    picture = opened.image
    if box:
        # Cut before it is shrunk, so that nothing around the box shines into it.
        picture = picture.crop(box.pixels(*picture.size))
    pixels = np.asarray(square(picture, size, resize))
    return PreparedImage(pixels, opened.width, opened.height, opened.media_type)


def prepare_file(
    path: Path, size: int, limits: ImageLimits = DEFAULT_LIMITS, resize: Resize = "stretch"
) -> PreparedImage:
    """``prepare`` for a file; a file that cannot be read is ``ImageUndecodable`` too."""
    try:
        data = path.read_bytes()
    except OSError as exc:
        raise ImageUndecodable(f"the file cannot be read ({exc.strerror})") from exc
    return prepare(data, size, limits, resize=resize)


def thumbnail(data: bytes, side: int, limits: ImageLimits = DEFAULT_LIMITS) -> bytes:
    """Return a WebP whose longer side is at most ``side`` pixels, upright, in the same shape."""
    image = _open(data, limits, at_least=side).image
    image.thumbnail((side, side), Image.Resampling.BICUBIC)
    out = io.BytesIO()
    image.save(out, "WEBP", quality=82, method=2)
    return out.getvalue()


def _open(data: bytes, limits: ImageLimits, at_least: int) -> _Opened:
    _check_bytes(data, limits)
    try:
        with Image.open(io.BytesIO(data), formats=list(MEDIA_TYPES)) as image:
            return _decode(image, limits, at_least)
    except ImageError:
        raise
    except UnidentifiedImageError as exc:
        if has_known_magic(data):
            raise ImageUndecodable("its header is broken") from exc
        raise ImageTypeUnsupported(SUPPORTED) from exc
    except MemoryError as exc:
        raise ImageUndecodable("decoding it needs too much memory") from exc
    # Pillow's decoders raise all of these, and more, on broken input.
    except Exception as exc:
        raise ImageUndecodable("its data is cut short or broken") from exc


def _check_bytes(data: bytes, limits: ImageLimits) -> None:
    if not data:
        raise ImageUndecodable("the file is empty")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge("bytes", len(data), limits.max_bytes, "MAX_IMAGE_BYTES")
    if data.startswith(b"\xff\xd8"):
        # In entropy-coded data 0xFF is never followed by 0xDA, so this counts start-of-scan markers.
        scans = data.count(b"\xff\xda")
        if scans > limits.max_scans:
            raise ImageTooLarge("scans", scans, limits.max_scans, "MAX_JPEG_SCANS")


def _decode(image: Image.Image, limits: ImageLimits, at_least: int) -> _Opened:
    width, height = image.size
    if width * height > limits.max_pixels:
        raise ImageTooLarge("pixels", width * height, limits.max_pixels, "MAX_IMAGE_PIXELS")
    kind = "JPEG" if image.format == MULTI_PICTURE else str(image.format)
    image.draft(None, (at_least, at_least))
    image.load()
    rgb = to_rgb(image)
    orientation = _orientation(image)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    if orientation in _SIDEWAYS:
        width, height = height, width
    return _Opened(rgb, width, height, MEDIA_TYPES[kind])


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a corrupt EXIF block must not cost us good pixels
        return 1
