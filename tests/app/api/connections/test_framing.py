"""A request says once where its body ends."""

import pytest

from app.api.connections.framing import is_ambiguous

START = b"POST / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"Content-Length: 5, 5\r\n\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"transfer-encoding: chunked\r\nX: y\r\nCONTENT-LENGTH: 5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"Content-Length: 5\nContent-Length: 5\n\n",
        b"Content-Length: 5\r\nContent-Length: 5",
    ],
)
def test_two_lengths_are_ambiguous(lines: bytes) -> None:
    assert is_ambiguous(START + lines)


@pytest.mark.parametrize(
    "lines",
    [
        b"\r\n",
        b"Content-Length: 5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"X-Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"X: Content-Length: 6\r\nContent-Length: 5\r\n\r\n",
        b"Content-Length: 60\r\n\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"",
    ],
)
def test_one_is_not(lines: bytes) -> None:
    assert not is_ambiguous(START + lines)
