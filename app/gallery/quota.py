"""How much a gallery holds, and how much it may."""

from dataclasses import dataclass

from app.errors import GalleryFull


@dataclass(frozen=True, slots=True)
class Usage:
    """Images, and bytes of their files: those that several images share are counted for each."""

    images: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Quota:
    """Most images and bytes; 0 means any number."""

    images: int = 0
    bytes: int = 0

    def __bool__(self) -> bool:
        return self.images > 0 or self.bytes > 0

    def check(self, before: Usage, after: Usage) -> None:
        """Raise ``GalleryFull`` where something grows beyond what it may be."""
        if self.images and after.images > max(self.images, before.images):
            raise GalleryFull("images", self.images, "MAX_GALLERY_IMAGES")
        if self.bytes and after.bytes > max(self.bytes, before.bytes):
            raise GalleryFull("bytes of images", self.bytes, "MAX_GALLERY_BYTES")
