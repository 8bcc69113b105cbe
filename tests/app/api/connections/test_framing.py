"""A request says once, and in one line each, where its body ends."""

import pytest

from app.api.connections.framing import ambiguity

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
    assert ambiguity(START + lines) == "it says more than once how long its body is"


@pytest.mark.parametrize(
    "lines",
    [
        b"X: y\r\n z\r\n\r\n",
        b"Transfer-Encoding:\r\n\tchunked\r\n\r\n",
        b"X: y\n Content-Length: 5\n\n",
        b" X: y\r\n",
    ],
)
def test_hardening_20_a_folded_line_is_ambiguous(lines: bytes) -> None:
    assert ambiguity(START + lines) == "it has a header that goes on in a second line"


@pytest.mark.parametrize(
    "lines",
    [
        b"\r\n",
        b"Content-Length: 5\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n",
        b"X-Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"X: Content-Length: 6\r\nContent-Length: 5\r\n\r\n",
        b"Content-Length: 5\r\n\r\n text\r\n text",
        b"Content-Length: 60\r\n\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
        b"",
    ],
)
def test_one_is_not(lines: bytes) -> None:
    assert ambiguity(START + lines) is None
