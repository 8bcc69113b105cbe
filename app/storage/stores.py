"""The two stores that a service works with."""

from dataclasses import dataclass

from app.storage.blob_store import BlobStore
from app.storage.gallery_store import GalleryStore


@dataclass(frozen=True, slots=True)
class Stores:
    """Where a service's records and vectors lie, and where its images' bytes do."""

    gallery: GalleryStore
    blobs: BlobStore
