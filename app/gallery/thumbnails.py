"""Small pictures of stored images: made when first asked for, then kept beside the gallery."""

from app.inference.decode_pool import DecodePool
from app.storage.stores import Stores
from app.storage.thumbnail_store import SIDES


class Thumbnails:
    """Gives each image's thumbnails, in a few sizes."""

    def __init__(self, stores: Stores, decoder: DecodePool) -> None:
        self._stores, self._decoder = stores, decoder

    def get(self, digest: str, side: int) -> bytes:
        """Return a WebP of a stored image in the smallest of ``SIDES`` that is at least ``side``.

        Raises ``StorageUnavailable``, an ``ImageError`` when the image is larger than the limits that hold
        now, or ``Overloaded``.
        """
        side = next((each for each in SIDES if each >= side), SIDES[-1])
        stored = self._stores.thumbnails
        if (kept := stored.get(digest, side)) is not None:
            return kept
        data = self._stores.blobs.get(digest)
        # Of many who ask for a large one at once, the first makes it.
        made = self._decoder.thumbnail(data, side, known=lambda: stored.get(digest, side))
        stored.put(digest, side, made)
        # Where the image was removed meanwhile, nobody would remove its thumbnail.
        if not self._stores.gallery.used([digest]):
            stored.delete(digest)
        return made
