"""What the service and its decoding processes say to each other.

A job is pickled, as it comes from the service itself. The answer comes from a process that has worked on
bytes of strangers, and is read as bytes: a mark, then a packed result or a reason.
"""

from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from app.errors import ImageError, ImageUndecodable
from app.images.limits import ImageLimits
from app.images.prepare import Wanted

T = TypeVar("T")

_SUCCEEDED, _REFUSED = b"\1", b"\0"


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
    reason = error.reason if isinstance(error, ImageUndecodable) else str(error)
    return _REFUSED + reason.encode()


def result_of(answer: bytes) -> bytes:
    """Return the packed result of an answer. Raises ``ImageUndecodable`` for a refusal."""
    if answer.startswith(_SUCCEEDED):
        return answer[1:]
    raise ImageUndecodable(answer[1:].decode(errors="replace"))
