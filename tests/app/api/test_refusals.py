"""How a request is refused before its body has been read."""

import asyncio
import json
import time

import pytest
from starlette.types import Message, Scope

from app.api import refusals
from app.api.errors import KeyMissing
from app.errors import GemelloError, Overloaded

SCOPE: Scope = {"type": "http", "request_id": "id-1"}


def refused(error: GemelloError, parts: list[Message]) -> list[Message]:
    """What is sent to a caller who sends ``parts``, and then nothing for ever."""
    coming, sent = iter(parts), []

    async def receive() -> Message:
        for part in coming:
            return part
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(refusals.refuse(error, SCOPE, receive, send))
    return sent


def test_the_answer_comes_before_the_rest_of_the_body_is_thrown_away() -> None:
    more: list[Message] = [{"type": "http.request", "body": b"x", "more_body": True}] * 3
    sent = refused(KeyMissing(), [*more, {"type": "http.request", "body": b""}])
    assert sent[0]["status"] == 401
    assert (b"connection", b"close") in sent[0]["headers"]
    assert json.loads(sent[1]["body"])["request_id"] == "id-1"
    assert [message.get("more_body", False) for message in sent[1:]] == [True, False]


def test_a_body_without_an_end_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_LINGER_S", 0.1)
    assert refused(KeyMissing(), [])[-1] == {"type": "http.response.body", "body": b""}


def test_who_comes_at_a_bad_time_is_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refusals, "_HOLD_S", 0.3)
    done: list[Message] = [{"type": "http.disconnect"}]
    start = time.monotonic()
    assert refused(Overloaded(), done)[0]["status"] == 429
    assert time.monotonic() - start >= 0.3
