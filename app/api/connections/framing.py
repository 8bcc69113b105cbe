"""What in a request's head may be read in two ways, by us and by a proxy in front."""

import re

_END = re.compile(rb"\r?\n\r?\n")
# A line that goes on in the next one: some join them, some take the second for a header of its own.
_FOLDED = re.compile(rb"\n[ \t]")
_LENGTH = re.compile(
    rb"^(?:content-length|transfer-encoding)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE
)


def ambiguity(received: bytes) -> str | None:
    """Return what is ambiguous in the head that ``received`` begins with, as "it …"; None for nothing.

    A proxy in front might read it the other way, and take a part of this body for the next request
    (RFC 9112, sections 5.2 and 6.3). h11 lets folded lines, two equal lengths, and a length beside a
    transfer coding pass.
    """
    found = _END.search(received)
    end = found.start() if found else len(received)
    if _FOLDED.search(received, 0, end):
        return "it has a header that goes on in a second line"
    given = _LENGTH.findall(received, 0, end)
    if len(given) > 1 or any(b"," in value for value in given):
        return "it says more than once how long its body is"
    return None
