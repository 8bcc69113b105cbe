"""An answer that is read from the disk as fast as its caller takes it."""

import asyncio
import io

import pytest
from starlette.types import Message

from app.api.streamed import Streamed

DATA = bytes(range(256)) * 1000


async def receive() -> Message:
    return {"type": "http.disconnect"}


def test_a_stream_is_sent_in_small_parts_and_closed() -> None:
    stream, sent = io.BytesIO(DATA), []

    async def send(message: Message) -> None:
        sent.append(message)
        taken = sum(len(part.get("body", b"")) for part in sent)
        assert stream.closed or stream.tell() == taken, "nothing is read ahead of the caller"

    asyncio.run(Streamed(stream, len(DATA), "image/png", {"ETag": "x"})({}, receive, send))
    assert (b"content-length", str(len(DATA)).encode()) in sent[0]["headers"]
    assert (b"etag", b"x") in sent[0]["headers"]
    parts = [message["body"] for message in sent[1:]]
    assert b"".join(parts) == DATA
    assert max(map(len, parts)) <= 64 * 1024
    assert not sent[-1].get("more_body", False)
    assert stream.closed


def test_a_stream_is_closed_when_its_caller_is_gone() -> None:
    stream = io.BytesIO(DATA)

    async def send(_: Message) -> None:
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(Streamed(stream, len(DATA), "image/png", {})({}, receive, send))
    assert stream.closed
