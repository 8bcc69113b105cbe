"""Connections to addresses that were checked, each wait of which is short."""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any, TypeVar

import httpcore

from app.jobs.imports.addresses import Address

T = TypeVar("T")

_CONNECT_S = 5.0
# How often a fetch looks whether it is still wanted.
_LOOK_S = 0.5


class Patience:
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

    def result(self, work: Callable[[], T]) -> T:
        """Return ``work()``, which cannot be interrupted; when patience ends, it is left to itself."""
        done: Future[T] = Future()

        def run() -> None:
            try:
                done.set_result(work())
            except BaseException as exc:
                done.set_exception(exc)

        threading.Thread(target=run, name="resolver", daemon=True).start()
        while not done.done():
            wait([done], min(_LOOK_S, self.left()))
        return done.result()


class AddressNotAllowed(Exception):
    """An address that must not be connected to."""


class Guarded(httpcore.NetworkBackend):
    """Connects to the very address that was checked."""

    def __init__(self, allowed: Callable[[Address], bool], patience: Patience) -> None:
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
        addresses = self._patience.result(lambda: _resolved(host, port))
        for address in addresses:
            if not self._allowed(address):
                raise AddressNotAllowed(
                    f"{host} leads to {address}, which is not on the open internet"
                )
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
        raise AddressNotAllowed(f"{path} is a socket of this machine")


class _Watched(httpcore.NetworkStream):
    """A connection of which each wait is short, and all together no longer than patience lasts.

    A server that sends a byte now and then never runs into the time for one read, not even with headers.
    """

    def __init__(self, inner: httpcore.NetworkStream, patience: Patience) -> None:
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
