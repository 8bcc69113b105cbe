"""The protocol behind which thumbnails lie: what is lost is made again."""

from typing import Protocol

SIDES = (64, 128, 256, 512, 1024)
"""The longer sides, in pixels, that thumbnails are made with: so many of an image are stored at most."""


class ThumbnailStore(Protocol):
    """Small pictures by the SHA-256 of the image they show. Safe to call from threads; nothing raises."""

    def put(self, digest: str, side: int, data: bytes) -> None:
        """Store a WebP, if there is room for it."""
        ...

    def get(self, digest: str, side: int) -> bytes | None:
        """Return a WebP; None when there is none, or when it cannot be read or was cut short."""
        ...

    def delete(self, digest: str) -> None:
        """Remove every thumbnail of an image, as far as that is possible."""
        ...
