"""Who may do what: a key for reading, one for writing."""

import hmac

from starlette.datastructures import Headers
from starlette.types import Scope

from app.api.addresses import network_of
from app.api.errors import KeyMayNotWrite, KeyMissing
from app.api.guesses import Guesses
from app.config import Settings

READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# Pages that hold no data: a browser must be able to open them to be given a key.
_PAGES = ("/docs", "/openapi.json", "/static/")
_READING_POSTS = frozenset({"/search", "/search/batch", "/embed", "/compare"})


class Keys:
    """The keys that the settings ask for."""

    def __init__(self, settings: Settings) -> None:
        self._read = settings.read_key.get_secret_value() if settings.read_key else ""
        self._write = settings.write_key.get_secret_value() if settings.write_key else ""
        self._guesses = Guesses()

    def check(self, scope: Scope) -> None:
        """Raise ``KeyMissing``, ``KeyMayNotWrite`` or ``TooManyWrongKeys`` for what may not be done."""
        path = scope["path"]
        if not (self._read or self._write) or path == "/" or path.startswith(_PAGES):
            return
        reads = scope["method"] in READING_METHODS or path in _READING_POSTS
        if reads and not self._read:
            return
        given = _key(Headers(scope=scope))
        if not given:
            raise KeyMissing
        # Both comparisons always, so that their time says nothing.
        writer, reader = _same(given, self._write), _same(given, self._read)
        self._guesses.check(_address(scope), given, right=writer or reader)
        if writer or (reader and reads):
            return
        raise KeyMayNotWrite if reader else KeyMissing


def _key(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token if scheme.lower() == "bearer" else "")


def _same(given: str, expected: str) -> bool:
    """Compare in constant time, so that a key cannot be guessed letter by letter; nobody has no key."""
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


def _address(scope: Scope) -> str:
    return network_of(scope["client"][0]) if scope.get("client") else ""
