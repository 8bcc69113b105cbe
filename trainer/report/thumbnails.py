"""Small pictures of the measured images, made once each: from their files, or from a cache."""

import base64
import io
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from app.errors import ImageError
from app.images.prepare import thumbnail
from trainer.data.cache import ImageCache
from trainer.data.cache_build import TRUSTED

SIDE = 96
# Returns WebP, or None where the picture cannot be had.
Source = Callable[[Path], bytes | None]


def from_file(path: Path) -> bytes | None:
    """Return the thumbnail of a file; None when it is gone since it was measured, or unreadable."""
    try:
        return thumbnail(path.read_bytes(), SIDE, TRUSTED)
    except (OSError, ImageError):
        return None


def from_cache(cache: ImageCache) -> Source:
    """Return a source of thumbnails of cached images, which reads no file.

    Cached images are stretched to a square; a thumbnail has its picture's own shape again.
    """
    index_of = {record.path: index for index, record in enumerate(cache.records)}

    def source(path: Path) -> bytes | None:
        index = index_of.get(path)
        if index is None:
            return from_file(path)
        row = cache.metadata[index]
        width, height = int(row["width"]), int(row["height"])
        scale = min(SIDE / max(width, height), 1)
        shape = max(round(width * scale), 1), max(round(height * scale), 1)
        image = Image.fromarray(cache.images[index]).resize(shape, Image.Resampling.BICUBIC)
        out = io.BytesIO()
        image.save(out, "WEBP", quality=82, method=2)
        return out.getvalue()

    return source


class Thumbnails:
    """WebP, longer side at most 96 pixels."""

    def __init__(self, source: Source = from_file) -> None:
        self._source = source
        self._made: dict[Path, bytes | None] = {}

    def uri(self, path: Path) -> str | None:
        """Return a ``data:`` URI, or None."""
        data = self._webp(path)
        return None if data is None else data_uri(data, "image/webp")

    def image(self, path: Path) -> Image.Image | None:
        """Return an RGB picture, or None."""
        data = self._webp(path)
        return None if data is None else Image.open(io.BytesIO(data)).convert("RGB")

    def _webp(self, path: Path) -> bytes | None:
        if path not in self._made:
            self._made[path] = self._source(path)
        return self._made[path]


def data_uri(data: bytes, media_type: str) -> str:
    """Return ``data`` as a ``data:`` URI."""
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
