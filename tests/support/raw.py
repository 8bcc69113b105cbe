"""HTTP by hand, for what no client would send."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


@contextmanager
def connection(client: httpx.Client) -> Iterator[socket.socket]:
    """Connect to where ``client`` calls."""
    with socket.create_connection(address_of(client), timeout=20) as raw:
        yield raw


def address_of(client: httpx.Client) -> tuple[str, int]:
    return client.base_url.host, client.base_url.port or 80


def answer_of(raw: socket.socket) -> tuple[int, bytes]:
    """The status and all that comes until the server closes."""
    data = b""
    while part := raw.recv(65536):
        data += part
    return int(data.split(b" ", 2)[1]), data


def problem_in(data: bytes) -> dict[str, Any]:
    """The problem that an answer carries."""
    head, body = data.split(b"\r\n\r\n", 1)
    assert b"content-type: application/problem+json" in head.lower()
    return json.loads(body)


def status_line(raw: socket.socket) -> int:
    """The status, without waiting for the rest."""
    data = b""
    while b"\r\n" not in data:
        part = raw.recv(65536)
        assert part, "closed without an answer"
        data += part
    return int(data.split(b" ", 2)[1])
