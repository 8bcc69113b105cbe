"""Clients that mean no good: they send a byte a second, or nothing, or do not read."""

import contextlib
import select
import socket
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

BODY = (
    b"POST /search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
    b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\n"
)
HEADERS = b"POST /search HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
SILENCE = b""
READING = b"GET /gallery/a/image HTTP/1.1\r\nHost: localhost\r\n\r\n"
_ENDED = select.POLLRDHUP | select.POLLHUP | select.POLLERR


@dataclass(frozen=True)
class Hostile:
    """A connection that sends ``first``, then nothing, or a byte a second; it reads nothing."""

    first: bytes
    drips: bool = False


def hold(address: tuple[str, int], clients: Sequence[Hostile], seconds: float) -> list[float]:
    """Connect all, and stay until the server has ended each.

    Returns after how many seconds it did. Raises ``TimeoutError`` when some are left.
    """
    start = time.monotonic()
    ended: list[float] = []
    poll, dripping = select.poll(), time.monotonic() + 1
    with ExitStack() as stack:
        held: dict[int, tuple[socket.socket, Hostile]] = {}
        for client in clients:
            raw = stack.enter_context(socket.create_connection(address, timeout=10))
            raw.setblocking(False)
            held[raw.fileno()] = raw, client
            poll.register(raw, _ENDED)
            _send(raw, client.first)
        while held:
            if time.monotonic() - start > seconds:
                raise TimeoutError(f"{len(held)} connections are still held")
            for descriptor, _ in poll.poll(200):
                poll.unregister(descriptor)
                held.pop(descriptor)[0].close()
                ended.append(time.monotonic() - start)
            if time.monotonic() > dripping:
                dripping += 1
                for raw, client in held.values():
                    if client.drips:
                        _send(raw, b"x")
    return ended


def _send(raw: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):  # it has been ended, as the next look shows
        raw.send(data)
