"""What a gallery refuses, and what its storage cannot do."""

from app.errors.base import GemelloError


class GalleryError(GemelloError):
    code = "gallery_error"
    title = "Gallery error"


class ImageNotFound(GalleryError):
    code = "image_not_found"
    title = "No such image"

    def __init__(self, image_id: str) -> None:
        super().__init__(f"The gallery holds no image with the id {image_id!r}.")
        self.image_id = image_id


class ImageConflict(GalleryError):
    code = "image_conflict"
    title = "Id already taken"

    def __init__(self, image_id: str) -> None:
        super().__init__(f"The gallery already holds an image with the id {image_id!r}.")
        self.image_id = image_id


class GalleryFull(GalleryError):
    code = "gallery_full"
    title = "Gallery is full"

    def __init__(self, what: str, limit: int, setting: str) -> None:
        super().__init__(f"The gallery may have {limit:,} {what} (GEMELLO_{setting}); remove some.")
        self.what, self.limit, self.setting = what, limit, setting


class StorageFull(GalleryError):
    code = "storage_full"
    title = "Storage is full"

    def __init__(self) -> None:
        super().__init__("The disk has no room; nothing was stored.")


class StorageUnavailable(GalleryError):
    code = "storage_unavailable"
    title = "Storage is unavailable"

    def __init__(self, reason: str, sentence: str | None = None) -> None:
        super().__init__(sentence or f"The storage failed: {reason}; nothing was stored.")
        self.reason = reason


class ImageDamaged(StorageUnavailable):
    code = "image_damaged"
    title = "Stored image is damaged"

    def __init__(self, digest: str, problem: str) -> None:
        image = f"stored image {digest[:12]}… {problem}"
        super().__init__(f"the {image}", f"The {image}; add the same file again to mend it.")


class DatabaseDamaged(StorageUnavailable):
    code = "database_damaged"
    title = "Database cannot be trusted"

    def __init__(self, database: str, problem: str) -> None:
        ways_out = (
            "restore a backup (`gemello gallery restore`), make it anew from the stored images"
        )
        ways_out += (
            " (`gemello gallery rebuild`), or go on without what is lost (`gemello gallery accept`)"
        )
        super().__init__(problem, f"The database {database} {problem}; {ways_out}.")


class DatabaseMissing(DatabaseDamaged):
    code = "database_missing"


class DatabaseOutdated(DatabaseDamaged):
    code = "database_outdated"
