"""An answer that is read from the disk as fast as its caller takes it."""

from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

_CHUNK = 64 * 1024


class Streamed(Response):
    """The bytes of a stream, a little at a time: a slow reader holds no more of them in memory."""

    def __init__(
        self, stream: BinaryIO, length: int, media_type: str, headers: dict[str, str]
    ) -> None:
        """``stream`` holds ``length`` bytes, and is closed at the end."""
        super().__init__(media_type=media_type, headers={**headers, "Content-Length": str(length)})
        self._stream = stream

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        with self._stream:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            while chunk := await run_in_threadpool(self._stream.read, _CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
