"""Answers of megabytes, made beside the event loop, one at a time."""

import asyncio
import threading

import pytest
from pydantic import BaseModel

from app.api.large_answers import LargeAnswers
from app.errors import ImageNotFound


class Answer(BaseModel):
    number: int


def test_they_are_made_one_at_a_time_while_the_loop_goes_on() -> None:
    at_once, most = 0, 0

    def work(number: int) -> Answer:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        # Only the loop lets the work go on: were it done there, this would never end.
        assert proceed.wait(10)
        at_once -= 1
        return Answer(number=number)

    proceed = threading.Event()

    async def ask() -> list[bytes]:
        large = LargeAnswers()
        made = [asyncio.create_task(large.make(lambda n=n: work(n))) for n in range(5)]  # type: ignore[misc]
        await asyncio.sleep(0)
        proceed.set()
        return [bytes((await each).body) for each in made]

    assert asyncio.run(ask()) == [b'{"number":%d}' % number for number in range(5)]
    assert most == 1


def test_one_that_fails_holds_up_no_other() -> None:
    def missing() -> Answer:
        raise ImageNotFound("a")

    async def ask() -> bytes:
        large = LargeAnswers()
        with pytest.raises(ImageNotFound):
            await large.make(missing)
        return bytes((await large.make(lambda: Answer(number=1))).body)

    assert asyncio.run(ask()) == b'{"number":1}'
