"""Answers about many images, made beside the event loop."""

import asyncio
from collections.abc import Callable

from fastapi import Response
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

FEW = 100
"""So many images are described in so little time that nobody notices."""


class LargeAnswers:
    """Make large answers one at a time.

    Nothing else can run while one is turned into JSON, 30 ms for 10 MB, in a thread or not: fifty in
    a row would keep whoever watches waiting for seconds. Who waits for a turn holds no thread.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def make(self, work: Callable[[], BaseModel]) -> Response:
        """Return what ``work`` returns, as JSON."""
        async with self._turn:
            return await run_in_threadpool(lambda: as_json(work()))


def as_json(answer: BaseModel) -> Response:
    """Return the answer that FastAPI would make, without a second look at each of its fields."""
    return Response(answer.model_dump_json(), media_type="application/json")
