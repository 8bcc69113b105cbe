"""Images that cannot be used, or cannot be had."""

from app.errors.base import GemelloError


class ImageError(GemelloError):
    code = "image_invalid"
    title = "Invalid image"


class ImageUndecodable(ImageError):
    code = "image_undecodable"
    title = "Image cannot be decoded"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The image cannot be decoded: {reason}.")
        self.reason = reason


class ImageTypeUnsupported(ImageError):
    code = "image_type_unsupported"
    title = "Unsupported image type"

    def __init__(self, supported: tuple[str, ...]) -> None:
        super().__init__(
            f"The bytes are not an image we decode; send one of {', '.join(supported)}."
        )
        self.supported = supported


class ImageTooLarge(ImageError):
    code = "image_too_large"
    title = "Image too large"

    def __init__(self, what: str, actual: int, limit: int, setting: str | None = None) -> None:
        """``setting`` is None for a limit that nobody needs to raise."""
        named = f" (GEMELLO_{setting})" if setting else ""
        super().__init__(f"The image has {actual:,} {what}; the limit is {limit:,}{named}.")
        self.what, self.actual, self.limit, self.setting = what, actual, limit, setting


class ImportFailure(GemelloError):
    code = "import_failed"
    title = "Images cannot be imported"


class ArchiveInvalid(ImportFailure):
    code = "archive_invalid"
    title = "Invalid archive"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The archive cannot be read: {reason}.")
        self.reason = reason


class AddressRefused(ImportFailure):
    code = "address_refused"
    title = "Address refused"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} is not fetched: {reason}.")
        self.url, self.reason = url, reason


class FetchFailed(ImportFailure):
    code = "fetch_failed"
    title = "Address gave no image"

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"{url} could not be fetched: {reason}.")
        self.url, self.reason = url, reason
