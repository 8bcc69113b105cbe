"""Small pictures of the measured files, read once each."""

import base64
import io
from pathlib import Path

from PIL import Image

from app.errors import ImageError
from app.images.prepare import thumbnail
from trainer.data.cache_build import TRUSTED

SIDE = 96


class Thumbnails:
    """WebP, longer side at most 96 pixels; a file that has gone since gives none."""

    def __init__(self) -> None:
        self._read: dict[Path, bytes | None] = {}

    def uri(self, path: Path) -> str | None:
        data = self._webp(path)
        return None if data is None else data_uri(data, "image/webp")

    def image(self, path: Path) -> Image.Image | None:
        data = self._webp(path)
        return None if data is None else Image.open(io.BytesIO(data)).convert("RGB")

    def _webp(self, path: Path) -> bytes | None:
        if path not in self._read:
            try:
                self._read[path] = thumbnail(path.read_bytes(), SIDE, TRUSTED)
            except (OSError, ImageError):
                self._read[path] = None
        return self._read[path]


def data_uri(data: bytes, media_type: str) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
