"""Uploaded files: their bytes, within limits, and their names."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastapi import UploadFile

from app.errors import ParameterInvalid
from app.gallery.metadata import MAX_FILENAME, clean_name


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """The size of an image in bytes, and the number of images in a request."""

    image_bytes: int
    images: int

    def check_count(self, count: int) -> None:
        """Raise ``ParameterInvalid`` when a request has more images than it may."""
        if count > self.images:
            raise ParameterInvalid(
                "images",
                f"{count} images; at most {self.images} at once (GEMELLO_MAX_IMAGES_PER_REQUEST)",
            )

    def read(self, upload: UploadFile) -> bytes:
        """Return a file's bytes, but at most one beyond the limit: enough to be refused by size."""
        return upload.file.read(self.image_bytes + 1)

    def read_all(self, uploads: Sequence[UploadFile]) -> list[bytes]:
        """Return the bytes of each file. Raise ``ParameterInvalid`` when there are too many."""
        self.check_count(len(uploads))
        return [self.read(upload) for upload in uploads]


def clean_filename(upload: UploadFile) -> str | None:
    """Return the last part of the name that the caller gave: for show only, never a path."""
    name = PurePosixPath((upload.filename or "").replace("\\", "/")).name
    return clean_name(name, MAX_FILENAME)
