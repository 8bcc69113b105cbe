"""How a request says where its body ends."""

import re

_END = re.compile(rb"\r?\n\r?\n")
_LENGTH = re.compile(
    rb"^(?:content-length|transfer-encoding)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


def is_ambiguous(received: bytes) -> bool:
    """Whether the head that ``received`` begins with says more than once how long its body is.

    A proxy in front might believe the other one, and take a part of this body for the next request
    (RFC 9112, section 6.3). h11 lets two equal lengths pass, and a length beside a transfer coding.
    """
    end = _END.search(received)
    given = _LENGTH.findall(received, 0, end.start() if end else len(received))
    return len(given) > 1 or any(b"," in value for value in given)
