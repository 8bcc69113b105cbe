"""What the system says of a disk, in our own terms."""

import errno

from app.errors import GalleryError, StorageFull, StorageUnavailable


def storage_error(exc: OSError) -> GalleryError:
    """Return our error for what the system says of a disk."""
    if exc.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull()
    return StorageUnavailable(exc.strerror or "the disk failed")
