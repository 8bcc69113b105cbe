"""What the system says of a disk, in our own terms."""

import errno

from app.errors import GalleryError, StorageFull, StorageUnavailable

_FULL = (errno.ENOSPC, errno.EDQUOT)
DISK_ERRORS = (*_FULL, errno.EIO, errno.EROFS)
"""What a disk reports; other errors of the system are about something else."""


def storage_error(exc: OSError) -> GalleryError:
    """Return our error for what the system says of a disk."""
    if exc.errno in _FULL:
        return StorageFull()
    return StorageUnavailable(exc.strerror or "the disk failed")
