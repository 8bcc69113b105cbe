"""What the service and its decoding processes say to each other.

A job is pickled, as it comes from the service itself. The answer comes from a process that has worked on
bytes of strangers, and is read as bytes: a mark, then a packed result or the facts of a refusal.
"""

import json
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from app.errors import ImageError, ImageTooLarge, ImageTypeUnsupported, ImageUndecodable
from app.images.formats import SUPPORTED
from app.images.limits import ImageLimits
from app.images.prepare import Wanted

T = TypeVar("T")

_SUCCEEDED, _BROKEN, _TOO_LARGE, _UNSUPPORTED = b"\1", b"\0", b"\2", b"\3"
# More than any of our reasons.
_LONGEST_REASON = 500


@dataclass(frozen=True)
class DecodeJob(Generic[T]):
    """An image to decode, of which the bytes go beside it."""

    wanted: Wanted[T]
    limits: ImageLimits
    memory: int
    """Bytes that decoding may take."""
    cpu_seconds: int
    """Processor time that it may take."""

    def send(self, connection: Connection, data: bytes) -> None:
        connection.send(self)
        connection.send_bytes(data)

    @staticmethod
    def received(connection: Connection) -> "tuple[DecodeJob[Any], bytes]":
        """Return the next job and its image. Raises ``EOFError`` at the end."""
        return connection.recv(), connection.recv_bytes()


def succeeded(packed: bytes) -> bytes:
    return _SUCCEEDED + packed


def refused(error: ImageError) -> bytes:
    match error:
        case ImageTypeUnsupported():
            return _UNSUPPORTED
        case ImageTooLarge():
            facts = (error.what, error.actual, error.limit, error.setting)
            return _TOO_LARGE + json.dumps(facts).encode()
        case _:
            reason = error.reason if isinstance(error, ImageUndecodable) else str(error)
            return _BROKEN + reason.encode()


def result_of(answer: bytes) -> bytes:
    """Return the packed result of an answer. Raises an ``ImageError``, or ``ValueError`` for no answer of ours."""
    mark, rest = answer[:1], answer[1:]
    if mark == _SUCCEEDED:
        return rest
    if len(rest) > _LONGEST_REASON:
        raise ValueError(f"{len(rest)} bytes are no reason")
    if mark == _BROKEN:
        raise ImageUndecodable(rest.decode())
    if mark == _UNSUPPORTED:
        raise ImageTypeUnsupported(SUPPORTED)
    if mark == _TOO_LARGE:
        match json.loads(rest):
            case [str(what), int(actual), int(limit), str() | None as setting]:
                raise ImageTooLarge(what, actual, limit, setting)
    raise ValueError("this is not an answer")
