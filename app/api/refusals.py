"""How a request is refused before its body has been read."""

import asyncio
import contextlib

from starlette.types import Receive, Scope, Send

from app.api.problems import problem_of
from app.errors import GemelloError, Overloaded

_LINGER_S = 2.0
# Before a caller is told to come again later: many do so at once, and would take the time of those who watch.
_HOLD_S = 0.5


async def refuse(refusal: GemelloError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, then throw away what still arrives for a moment, and close.

    Closing at once would reset the connection under a caller who is still sending, who would
    then never see the answer.
    """
    if isinstance(refusal, Overloaded):
        await asyncio.sleep(_HOLD_S)
    response = problem_of(refusal, scope.get("request_id", ""))
    response.headers["Connection"] = "close"
    start = {"status": response.status_code, "headers": response.raw_headers}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_LINGER_S):
            while (await receive()).get("more_body", False):
                pass
    await send({"type": "http.response.body", "body": b""})
