"""Fetches images from addresses on the web, and from nowhere else.

What a caller names must not reach this machine or its network: every address that a name resolves
to is checked, and the connection goes to the address that was checked, so that a name that resolves
differently the second time gains nothing. Redirects are followed a few times, each checked anew.
"""

import ipaddress
import socket
import ssl
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpcore

from app.errors import AddressRefused, FetchFailed

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_REDIRECTS = 3
_CONNECT_S = 5.0
# How often a fetch looks whether it is still wanted.
_LOOK_S = 0.5
_SEND = [("User-Agent", "gemello"), ("Accept", "image/*")]


def is_public(address: Address) -> bool:
    """Return whether an address lies in the open internet: not here, not in a private network."""
    if isinstance(address, ipaddress.IPv6Address):
        # Forms of IPv6 that carry an IPv4 address reach that address.
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address.is_site_local:
            return False
        if any(address in network for network in _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


# Translated to IPv4 on the way, by a translator or by this machine.
_TRANSLATED = [ipaddress.ip_network(n) for n in ("64:ff9b::/96", "64:ff9b:1::/48", "::/96")]


class _Patience:
    """How long a fetch may take, and whether anyone still wants it."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check
        self.until = 0.0

    def left(self) -> float:
        """Return the seconds that are left. Raises ``ReadTimeout``, or what ends the work."""
        self._check()
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left


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
        allowed: Callable[[Address], bool] = is_public,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self._patience = _Patience(check)
        self._max_bytes, self._timeout_s = max_bytes, timeout_s
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=_Guarded(allowed, self._patience),
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
        target = url
        for _ in range(_REDIRECTS + 1):
            _check(url, target)
            data, following = self._get(url, target)
            if following is None:
                return data
            target = urljoin(target, following)
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
        except _Refused as exc:
            raise AddressRefused(url, str(exc)) from exc
        except (httpcore.TimeoutException, TimeoutError) as exc:
            raise FetchFailed(url, f"it took longer than {self._timeout_s:g} s") from exc
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
            raise FetchFailed(url, f"the connection failed ({exc})") from exc

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


class _Refused(Exception):
    """An address that must not be connected to."""


class _Guarded(httpcore.NetworkBackend):
    """Connects to the very address that was checked."""

    def __init__(self, allowed: Callable[[Address], bool], patience: _Patience) -> None:
        self._allowed, self._patience = allowed, patience
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolved(host, port)
        for address in addresses:
            if not self._allowed(address):
                raise _Refused(f"{host} leads to {address}, which is not on the open internet")
        seconds = min(_CONNECT_S, self._patience.left())
        stream = self._inner.connect_tcp(
            str(addresses[0]), port, seconds, local_address, socket_options
        )
        return _Watched(stream, self._patience)

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Any = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        raise _Refused(f"{path} is a socket of this machine")


class _Watched(httpcore.NetworkStream):
    """A connection of which each wait is short, and all together no longer than patience lasts.

    A server that sends a byte now and then never runs into the time for one read, not even with headers.
    """

    def __init__(self, inner: httpcore.NetworkStream, patience: _Patience) -> None:
        self._inner, self._patience = inner, patience

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002
        while True:
            try:
                return self._inner.read(max_bytes, min(_LOOK_S, self._patience.left()))
            except httpcore.ReadTimeout:
                self._patience.left()

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002
        self._inner.write(buffer, min(_CONNECT_S, self._patience.left()))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        seconds = min(_CONNECT_S, self._patience.left())
        return _Watched(
            self._inner.start_tls(ssl_context, server_hostname, seconds), self._patience
        )

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _resolved(host: str, port: int) -> list[Address]:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host} is not known") from exc
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
