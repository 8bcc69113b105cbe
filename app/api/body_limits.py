"""How large a request's body may be: what its route can use, and no more."""

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.types import Scope

from app.api.errors import BodyTooLarge, CharsetUnsupported
from app.config import Settings

TEXT, ADDRESSES = 131_072, 1_048_576
"""Of a body without a file: metadata of 16 kB, every character of it escaped; a thousand addresses."""
SEARCHED_IMAGES = 4
"""Images of the largest size that one search may send: all are in memory at once."""


def body_limit(scope: Scope, settings: Settings) -> int:
    """Return the most bytes that the body of a request may have.

    Raises ``CharsetUnsupported`` for text that is not UTF-8, ``BodyTooLarge`` for a length that is too
    large already.
    """
    headers = Headers(scope=scope)
    kind, parameters = parse_options_header(headers.get("content-type"))
    charset = parameters.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower().replace("-", "") != "utf8":
        raise CharsetUnsupported(charset)
    limit = ADDRESSES if scope["path"] == "/gallery/import" else TEXT
    if scope["method"] == "POST" and kind == b"multipart/form-data":
        limit += _files(scope["path"], settings)
    limit = min(limit, settings.max_request_bytes)
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise BodyTooLarge(limit)
    return limit


def _files(path: str, settings: Settings) -> int:
    """The bytes of all files that a route may be sent."""
    match path:
        case "/search":
            return SEARCHED_IMAGES * settings.max_image_bytes
        case "/compare":
            return 2 * settings.max_image_bytes
        case "/search/batch" | "/embed" | "/gallery" | "/gallery/import":
            return settings.max_request_bytes
    return 0
