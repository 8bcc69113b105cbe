"""Untrusted bytes → RGB uint8 at model size, the one way that training and serving share; and thumbnails."""

import io
import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from app.errors import ImageUndecodable
from app.images.box import Box
from app.images.cost import Cost
from app.images.formats import MEDIA_TYPES
from app.images.limits import DEFAULT_LIMITS, ImageLimits
from app.images.opened import OpenedImage
from app.images.square import Resize, square

Pixels = npt.NDArray[np.uint8]
T = TypeVar("T")

# A side that no JPEG has: asking for it decodes at full scale.
_WHOLE = 65_536


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """An image at model size, and what it was before.

    ``pixels`` is uint8 [size, size, 3], RGB; ``width`` and ``height`` are the upright original's.
    """

    pixels: Pixels
    width: int
    height: int
    media_type: str


class Wanted(Protocol[T]):
    """Something to make of an image, in two steps: its header is read, and tells what the rest costs."""

    def open(self, data: bytes, limits: ImageLimits) -> OpenedImage:
        """Read the header. Raises an ``ImageError``."""
        ...

    def cost(self, opened: OpenedImage) -> Cost:
        """Estimate what ``make`` takes."""
        ...

    def make(self, opened: OpenedImage) -> T:
        """Decode. Raises ``ImageUndecodable``."""
        ...

    def pack(self, made: T) -> bytes:
        """Return the result as bytes, to be sent to another process."""
        ...

    def unpack(self, packed: bytes) -> T:
        """Return what was packed. Raises ``ValueError`` for bytes that cannot have been."""
        ...


# Width, height, media type.
_PACKED = struct.Struct(">II16s")


@dataclass(frozen=True, slots=True)
class ModelInput:
    """What a model wants of an image: a square of ``size``, of the whole or of its ``box``."""

    size: int
    resize: Resize = "stretch"
    box: Box | None = None

    def open(self, data: bytes, limits: ImageLimits) -> OpenedImage:
        box = self.box
        least = min(box.right - box.left, box.bottom - box.top) if box else 1
        return OpenedImage(data, limits, min(math.ceil(2 * self.size / least), _WHOLE))

    def cost(self, opened: OpenedImage) -> Cost:
        return opened.cost(cut=self.box is not None)

    def make(self, opened: OpenedImage) -> PreparedImage:
        picture = opened.decode()
        image = picture.image
        if self.box:
            # Cut before it is shrunk, so that nothing around the box shines into it.
            image = image.crop(self.box.pixels(*image.size))
        pixels = np.asarray(square(image, self.size, self.resize))
        return PreparedImage(pixels, picture.width, picture.height, picture.media_type)

    def pack(self, made: PreparedImage) -> bytes:
        header = _PACKED.pack(made.width, made.height, made.media_type.encode())
        return header + made.pixels.tobytes()

    def unpack(self, packed: bytes) -> PreparedImage:
        if len(packed) != _PACKED.size + 3 * self.size**2:
            raise ValueError(f"{len(packed)} bytes are no image of {self.size} pixels")
        width, height, named = _PACKED.unpack_from(packed)
        media_type = named.rstrip(b"\0").decode("ascii")
        if media_type not in MEDIA_TYPES.values() or not width or not height:
            raise ValueError(f"no image is {width} × {height} {media_type!r}")
        pixels = np.frombuffer(packed, np.uint8, offset=_PACKED.size)
        shape = (self.size, self.size, 3)
        return PreparedImage(pixels.reshape(shape), width, height, media_type)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A WebP whose longer side is at most ``side`` pixels, upright, in the same shape."""

    side: int

    def open(self, data: bytes, limits: ImageLimits) -> OpenedImage:
        return OpenedImage(data, limits, self.side)

    def cost(self, opened: OpenedImage) -> Cost:
        return opened.cost()

    def make(self, opened: OpenedImage) -> bytes:
        image = opened.decode().image
        image.thumbnail((self.side, self.side), Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.save(out, "WEBP", quality=82, method=2)
        return out.getvalue()

    def pack(self, made: bytes) -> bytes:
        return made

    def unpack(self, packed: bytes) -> bytes:
        if not packed.startswith(b"RIFF") or packed[8:12] != b"WEBP":
            raise ValueError("what was made is no WebP")
        return packed


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
    wanted = ModelInput(size, resize, box)
    return wanted.make(wanted.open(data, limits))


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
    wanted = Thumbnail(side)
    return wanted.make(wanted.open(data, limits))
