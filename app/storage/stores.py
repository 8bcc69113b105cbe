"""The stores that a service works with."""

from dataclasses import dataclass

from app.storage.blob_store import BlobStore
from app.storage.gallery_store import GalleryStore
from app.storage.thumbnail_store import ThumbnailStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a service's records and vectors lie, where its images' bytes do, and their thumbnails."""

    gallery: GalleryStore
    blobs: BlobStore
    thumbnails: ThumbnailStore
