"""An image whose header has been read and held to every limit, and whose pixels have not been touched.

Pillow's exceptions end here; what leaves is a picture or one of our ``ImageError``s.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pi_heif
from PIL import ExifTags, Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from app.errors import ImageError, ImageTooLarge, ImageTypeUnsupported, ImageUndecodable
from app.images.colour import to_rgb
from app.images.cost import Cost, block_pixels, cost_of
from app.images.formats import MEDIA_TYPES, MULTI_PICTURE, SUPPORTED, has_known_magic
from app.images.jpeg import START, JpegLayout, PixelSource, read_layout
from app.images.limits import ImageLimits
from app.images.parts import check_parts

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
# What may hold an orientation.
_ORIENTED = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
_MAX_EXIF = 1_000_000
_BROKEN = "its data is cut short or broken"

# iPhones' format; the package decodes only, and so comes without the encoder's licence.
pi_heif.register_heif_opener(thumbnails=False)
# ``ImageLimits.max_pixels`` is checked before anything is decoded, and is stricter.
Image.MAX_IMAGE_PIXELS = None
# One file may give cause for a hundred thousand, each of which would be a line of the log.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class Picture:
    """A decoded picture, RGB and upright, at most as large as it was: ``width`` × ``height``."""

    image: Image.Image
    width: int
    height: int
    media_type: str


class OpenedImage:
    """What a header says, and the way to the pixels."""

    def __init__(self, data: bytes, limits: ImageLimits, at_least: int) -> None:
        """Read the header of ``data``. A JPEG is going to be decoded at a smaller scale, if it may be.

        No side gets smaller than ``at_least``. Raises ``ImageUndecodable``, ``ImageTypeUnsupported`` or
        ``ImageTooLarge``.
        """
        self._data = data
        with _translated(data):
            _check_bytes(data, limits)
            check_parts(data)
            self._layout = _layout(data, limits)
            self._source = PixelSource(data, self._layout.pixels_end if self._layout else None)
            self._image = _open(self._source)
            self._size = self._image.size
            _check_pixels(self._image, limits)
            self._image.draft(None, (at_least, at_least))
        self._kind = "JPEG" if self._image.format == MULTI_PICTURE else str(self._image.format)

    def cost(self, *, cut: bool = False) -> Cost:
        """Estimate what decoding takes, with one more copy where a part is going to be ``cut`` out."""
        with _translated(self._data):
            return cost_of(
                self._image,
                self._kind,
                self._size,
                len(self._data),
                jpeg=self._layout,
                copies=_may_be_turned(self._image) + cut,
            )

    def decode(self) -> Picture:
        """Decode the picture, once. Raises ``ImageUndecodable``."""
        with _translated(self._data), self._image as image:
            if self._layout and self._layout.cut_short:
                raise ImageUndecodable(_BROKEN)
            self._source.end_with_the_pixels()
            image.load()
            # The same pixels without the decoder, which may begin again whenever it is looked at.
            rgb = to_rgb(image._new(image.im))
            # Some formats have it behind the pixels.
            orientation = _orientation(image)
        if orientation in _UPRIGHT:
            rgb = rgb.transpose(_UPRIGHT[orientation])
        width, height = reversed(self._size) if orientation in _SIDEWAYS else self._size
        return Picture(rgb, width, height, MEDIA_TYPES[self._kind])


def _check_bytes(data: bytes, limits: ImageLimits) -> None:
    if not data:
        raise ImageUndecodable("the file is empty")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge("bytes", len(data), limits.max_bytes, "MAX_IMAGE_BYTES")


def _layout(data: bytes, limits: ImageLimits) -> JpegLayout | None:
    if not data.startswith(START):
        return None
    layout = read_layout(data)
    if layout.scans > limits.max_scans:
        raise ImageTooLarge("scans", layout.scans, limits.max_scans, "MAX_JPEG_SCANS")
    return layout


def _open(source: PixelSource) -> ImageFile:
    image = Image.open(source, formats=list(MEDIA_TYPES))
    if not isinstance(image, ImageFile):
        raise UnidentifiedImageError
    return image


def _check_pixels(image: ImageFile, limits: ImageLimits) -> None:
    pixels = image.width * image.height
    if isinstance(image, TiffImageFile):
        pixels = max(pixels, block_pixels(image))
    if pixels > limits.max_pixels:
        raise ImageTooLarge("pixels", pixels, limits.max_pixels, "MAX_IMAGE_PIXELS")


def _may_be_turned(image: ImageFile) -> bool:
    return isinstance(image, TiffImageFile) or not _ORIENTED.isdisjoint(image.info)


def _orientation(image: Image.Image) -> int:
    # One number of forty bytes may be made of each of its bytes.
    if len(image.info.get("exif") or b"") > _MAX_EXIF:
        return 1
    try:
        return int(image.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # a corrupt EXIF block must not cost us good pixels
        return 1


@contextmanager
def _translated(data: bytes) -> Iterator[None]:
    try:
        yield
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
        raise ImageUndecodable(_BROKEN) from exc
