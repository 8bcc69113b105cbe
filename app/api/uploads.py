"""Uploaded files: their bytes, within limits, and their names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from fastapi import UploadFile

from app.errors import ParameterInvalid
from app.gallery.metadata import MAX_FILENAME, clean_name
from app.gallery.new_image import batched


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

    def batches(self, uploads: Sequence[UploadFile]) -> Iterator[list[bytes]]:
        """Yield the bytes of all files, a few at a time: what is read at once takes little memory.

        Raise ``ParameterInvalid`` when there are too many files.
        """
        self.check_count(len(uploads))
        return batched((self.read(upload) for upload in uploads), len)


def clean_filename(upload: UploadFile) -> str | None:
    """Return the last part of the name that the caller gave: for show only, never a path."""
    name = PurePosixPath((upload.filename or "").replace("\\", "/")).name
    return clean_name(name, MAX_FILENAME)
