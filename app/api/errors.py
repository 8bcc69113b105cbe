"""The HTTP status of every error: one table, and the errors that only HTTP knows."""

from collections.abc import Mapping
from typing import Literal

from app import errors


class RequestRefused(errors.GemelloError):
    """Base of what only HTTP can get wrong: a body too large or too slow, a key that is missing."""

    title = ""  # the status has a name of its own


class RequestMalformed(RequestRefused):
    code = "request_malformed"

    def __init__(self, reason: str) -> None:
        super().__init__(f"This is not a valid HTTP request: {reason}.")
        self.reason = reason


class HeadersTooLarge(RequestRefused):
    code = "headers_too_large"

    def __init__(self) -> None:
        super().__init__("The request's headers are too large.")


class RequestTooSlow(RequestRefused):
    code = "request_timeout"

    def __init__(self, part: Literal["headers", "body"], limit_s: float) -> None:
        super().__init__(f"The request's {part} did not arrive within {limit_s:g} s.")
        self.part, self.limit_s = part, limit_s


class BodyTooLarge(RequestRefused):
    code = "request_too_large"

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"The request's body is larger than {limit:,} bytes, the most that this route takes (see "
            "GEMELLO_MAX_REQUEST_BYTES and GEMELLO_MAX_IMAGE_BYTES)."
        )
        self.limit = limit


class TooManyConnections(RequestRefused):
    code = "too_many_connections"

    def __init__(self) -> None:
        super().__init__("More clients are connected than the service can hold; try again later.")


class HostNotAllowed(RequestRefused):
    code = "host_not_allowed"

    def __init__(self, host: str) -> None:
        super().__init__(
            f"The service does not answer for the host {host!r}; name it in GEMELLO_ALLOWED_HOSTS if it should."
        )
        self.host = host


class OriginNotAllowed(RequestRefused):
    code = "origin_not_allowed"

    def __init__(self, origin: str) -> None:
        super().__init__(
            f"The page at {origin} may not do this; name it in GEMELLO_CORS_ORIGINS if it should."
        )
        self.origin = origin


class CharsetUnsupported(RequestRefused):
    code = "charset_unsupported"

    def __init__(self, charset: str) -> None:
        super().__init__(f"The request's text is in {charset[:40]!r}; send UTF-8.")
        self.charset = charset


class ReadTooLong(RequestRefused):
    code = "read_too_long"

    def __init__(self, limit_s: float) -> None:
        super().__init__(
            f"The answer was not found within {limit_s:g} s (GEMELLO_READ_TIMEOUT_S); ask for less, as "
            "with a smaller max_distance."
        )
        self.limit_s = limit_s


class CallerLeft(RequestRefused):
    code = "caller_left"

    def __init__(self) -> None:
        super().__init__("The caller left before the answer was found.")


class KeyMissing(RequestRefused):
    code = "key_missing"

    def __init__(self) -> None:
        super().__init__("Send a valid key, as X-API-Key or Authorization: Bearer.")


class KeyMayNotWrite(RequestRefused):
    code = "key_may_not_write"

    def __init__(self) -> None:
        super().__init__("This key may read but not write.")


class TooManyWrongKeys(errors.Overloaded):
    code = "too_many_wrong_keys"
    title = "Too many wrong keys"

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(retry_after_s)
        self.args = (
            f"Too many wrong keys came from your address; try again in {retry_after_s} s.",
        )


# The nearest class in an error's family decides.
STATUS: Mapping[type[errors.GemelloError], int] = {
    errors.GemelloError: 500,
    errors.ImageError: 400,
    errors.ImageTooLarge: 413,
    errors.ImageTypeUnsupported: 415,
    errors.ImportFailure: 400,
    errors.AddressRefused: 403,
    errors.FetchFailed: 502,
    errors.ParameterInvalid: 422,
    errors.ImageNotFound: 404,
    errors.ImageConflict: 409,
    errors.GalleryFull: 507,
    errors.StorageFull: 507,
    errors.StorageUnavailable: 503,
    errors.ModelError: 503,
    errors.ModelNotFound: 404,
    errors.ModelStoreUnwritable: 409,
    errors.AdaptationRefused: 409,
    errors.JobNotFound: 404,
    errors.JobConflict: 409,
    errors.JobQueueFull: 429,
    errors.Overloaded: 429,
    errors.NotReady: 503,
    RequestMalformed: 400,
    HeadersTooLarge: 431,
    RequestTooSlow: 408,
    TooManyConnections: 503,
    HostNotAllowed: 421,
    OriginNotAllowed: 403,
    BodyTooLarge: 413,
    CharsetUnsupported: 415,
    ReadTooLong: 503,
    CallerLeft: 408,
    KeyMissing: 401,
    KeyMayNotWrite: 403,
}


def status_of(error: errors.GemelloError) -> int:
    """Return the HTTP status of an error."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
