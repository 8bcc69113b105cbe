"""Fetches images from addresses on the web, and from nowhere else.

What a caller names must not reach this machine or its network: every address that a name resolves
to is checked, and the connection goes to the address that was checked, so that a name that resolves
differently the second time gains nothing. Redirects are followed a few times, each checked anew.
"""

import ssl
import time
from collections.abc import Callable, Iterable
from urllib.parse import urljoin, urlsplit

import httpcore
import structlog

from app.errors import AddressRefused, FetchFailed
from app.jobs.imports.addresses import Address, is_elsewhere
from app.jobs.imports.connections import AddressNotAllowed, Guarded, Patience

log = structlog.get_logger()

_REDIRECTS = 3
_SEND = [("User-Agent", "gemello"), ("Accept", "image/*")]


def shown(url: str) -> str:
    """Return what may be told of an address: its query often holds a token, its host a password."""
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=host, query="", fragment="").geturl()
    except ValueError:
        return url.partition("?")[0]


class Fetcher:
    """Fetches one address at a time, each within ``timeout_s`` from its name to its last byte.

    ``allowed`` says which addresses may be connected to; ``check`` is called at least once a second, and
    ends a fetch by raising.
    """

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float,
        allowed: Callable[[Address], bool] = is_elsewhere,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._patience = Patience(check)
        self._max_bytes, self._timeout_s = max_bytes, timeout_s
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=Guarded(allowed, self._patience),
            max_connections=4,
            retries=0,
        )

    def close(self) -> None:
        self._pool.close()

    def fetch(self, url: str) -> bytes:
        """Return the bytes at ``url``, no more than one beyond the limit.

        Raises ``AddressRefused`` for what must not be fetched, ``FetchFailed`` for what cannot be.
        """
        self._patience.until = time.monotonic() + self._timeout_s
        target, url = url, shown(url)
        for _ in range(_REDIRECTS + 1):
            _check(url, target)
            data, following = self._get(url, target)
            if following is None:
                return data
            try:
                target = urljoin(target, following)
            except ValueError as exc:
                raise FetchFailed(url, "it redirects to what is not an address") from exc
        raise FetchFailed(url, f"it redirects more than {_REDIRECTS} times")

    def _get(self, url: str, target: str) -> tuple[bytes, str | None]:
        """The bytes at ``target``, or where it redirects to."""
        try:
            with self._pool.stream("GET", target, headers=_SEND) as response:
                if response.status in (301, 302, 303, 307, 308):
                    return b"", _header(response, b"location") or ""
                if response.status != 200:
                    raise FetchFailed(url, f"the server answered {response.status}")
                return self._read(response.iter_stream()), None
        except AddressNotAllowed as exc:
            log.warning("address refused", url=url, reason=str(exc))
            raise AddressRefused(url, "it leads to what is not on the open internet") from exc
        except (httpcore.TimeoutException, TimeoutError) as exc:
            raise FetchFailed(url, f"it took longer than {self._timeout_s:g} s") from exc
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
            log.warning("address not fetched", url=url, reason=str(exc))
            raise FetchFailed(url, "the connection failed") from exc

    def _read(self, chunks: Iterable[bytes]) -> bytes:
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > self._max_bytes:
                break
        return bytes(data[: self._max_bytes + 1])


def _check(url: str, target: str) -> None:
    try:
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
    except ValueError as exc:
        raise AddressRefused(url, "it is not a valid address") from exc
    if parts.scheme not in ("http", "https") or not host:
        raise AddressRefused(url, "only http and https addresses are fetched")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused(url, "an address must not hold a user or a password")
    if not target.isascii() or any(c <= " " or c == "\x7f" for c in target):
        raise AddressRefused(url, "it is not a valid address")


def _header(response: httpcore.Response, name: bytes) -> str | None:
    for key, value in response.headers:
        if key.lower() == name:
            return value.decode("latin-1")
    return None
