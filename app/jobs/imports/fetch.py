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
_SEND = [("User-Agent", "gemello"), ("Accept", "image/*")]


def is_public(address: Address) -> bool:
    """Return whether an address lies in the open internet: not here, not in a private network."""
    if isinstance(address, ipaddress.IPv6Address):
        # Forms of IPv6 that carry an IPv4 address reach that address.
        inner = address.ipv4_mapped or address.sixtofour
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address in _NAT64:
            return False
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class Fetcher:
    """``allowed`` says which addresses may be connected to."""

    def __init__(
        self,
        *,
        max_bytes: int,
        timeout_s: float,
        allowed: Callable[[Address], bool] = is_public,
    ) -> None:
        self._max_bytes, self._timeout_s = max_bytes, timeout_s
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context(),
            network_backend=_Guarded(allowed),
            max_connections=4,
            retries=0,
        )

    def close(self) -> None:
        self._pool.close()

    def fetch(self, url: str) -> bytes:
        """Return the bytes at ``url``, no more than one beyond the limit.

        Raises ``AddressRefused`` for what must not be fetched, ``FetchFailed`` for what cannot be.
        """
        deadline = time.monotonic() + self._timeout_s
        target = url
        for _ in range(_REDIRECTS + 1):
            _check(url, target)
            data, following = self._get(url, target, deadline)
            if following is None:
                return data
            target = urljoin(target, following)
        raise FetchFailed(url, f"it redirects more than {_REDIRECTS} times")

    def _get(self, url: str, target: str, deadline: float) -> tuple[bytes, str | None]:
        """The bytes at ``target``, or where it redirects to."""
        left = max(0.1, deadline - time.monotonic())
        timeouts = {"connect": min(_CONNECT_S, left), "read": left, "write": left, "pool": left}
        try:
            with self._pool.stream(
                "GET", target, headers=_SEND, extensions={"timeout": timeouts}
            ) as response:
                if response.status in (301, 302, 303, 307, 308):
                    return b"", _header(response, b"location") or ""
                if response.status != 200:
                    raise FetchFailed(url, f"the server answered {response.status}")
                return self._read(url, response.iter_stream(), deadline), None
        except _Refused as exc:
            raise AddressRefused(url, str(exc)) from exc
        except (httpcore.TimeoutException, TimeoutError) as exc:
            raise FetchFailed(url, f"it took longer than {self._timeout_s:g} s") from exc
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as exc:
            raise FetchFailed(url, f"the connection failed ({exc})") from exc

    def _read(self, url: str, chunks: Iterable[bytes], deadline: float) -> bytes:
        data = bytearray()
        for chunk in chunks:
            data += chunk
            if len(data) > self._max_bytes:
                break
            # A server that sends a byte now and then never runs into the time for one read.
            if time.monotonic() > deadline:
                raise FetchFailed(url, f"it took longer than {self._timeout_s:g} s")
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

    def __init__(self, allowed: Callable[[Address], bool]) -> None:
        self._allowed, self._inner = allowed, httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Any = None,
    ) -> httpcore.NetworkStream:
        addresses = _resolved(host, port)
        for address in addresses:
            if not self._allowed(address):
                raise _Refused(f"{host} leads to {address}, which is not on the open internet")
        return self._inner.connect_tcp(
            str(addresses[0]), port, timeout, local_address, socket_options
        )

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Any = None,  # noqa: ARG002
    ) -> httpcore.NetworkStream:
        raise _Refused(f"{path} is a socket of this machine")


def _resolved(host: str, port: int) -> list[Address]:
    try:
        entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as exc:
        raise httpcore.ConnectError(f"{host} is not known") from exc
    return [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in entries]
