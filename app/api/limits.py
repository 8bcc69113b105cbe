"""Pure ASGI middleware: what must hold before a body is read, and while it is.

FastAPI parses and spools a body before any dependency runs, so keys, sizes and deadlines are
checked here, around ``receive``.
"""

import asyncio

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.addresses import network_of
from app.api.bodies import Bodies, Body
from app.api.body_limits import body_limit
from app.api.errors import BodyTooLarge, HeadersTooLarge, RequestTooSlow
from app.api.keys import Keys
from app.api.refusals import refuse
from app.config import Settings
from app.errors import GemelloError, Overloaded

# Asked by machines that watch: never refused for load, and open to everyone.
OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
# Never refused for load either, but it needs a key where reading does.
_METRICS = "/metrics"
# A filter has 16 kB, which escapes make three times as long. Longer ones are checked on the event loop, too.
_LONGEST_QUERY = 50_000
# All bodies together may hold as much as so many of the largest.
_LARGEST_BODIES = 4


class RequestLimits:
    """Check the keys, the size, the time and the number at once of every request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._keys = Keys(settings)
        self._bodies = Bodies(_LARGEST_BODIES * settings.max_request_bytes)
        self._in_progress = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            if len(scope["query_string"]) > _LONGEST_QUERY:
                raise HeadersTooLarge()
            self._keys.check(scope)
            limit = body_limit(scope, self._settings)
            if scope["path"] != _METRICS:
                self._check_room()
        except GemelloError as refusal:
            await refuse(refusal, scope, receive, send)
            return
        if scope["path"] == _METRICS:
            await self._app(scope, receive, send)
        else:
            with self._bodies.open(_address(scope)) as body:
                await self._guarded(body, limit, scope, receive, send)

    async def _guarded(
        self, body: Body, limit: int, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Count what arrives; once too much or too late, our answer replaces the app's.

        A request has a place while it is worked on: from when its body has arrived, so that slow
        senders take none, to where its answer begins, so that slow readers take none.
        """
        deadline = asyncio.get_running_loop().time() + self._settings.request_timeout_s
        refusal: GemelloError | None = None
        placed = answered = False

        def enter() -> None:
            nonlocal placed
            body.arriving, placed = False, True
            self._in_progress += 1

        def leave() -> None:
            nonlocal placed
            self._in_progress -= placed
            placed = False

        async def counted() -> Message:
            nonlocal refusal
            if not body.arriving:
                return await receive()
            try:
                message = await self._next_part(body, limit, receive, deadline)
                if message["type"] == "http.request" and not message.get("more_body", False):
                    self._check_room()
                    enter()
            except GemelloError as exc:
                refusal = exc
                raise
            return message

        async def replaced(message: Message) -> None:
            nonlocal answered
            leave()
            if refusal is None:
                await send(message)
            elif not answered:
                answered = True
                await refuse(refusal, scope, receive, send)

        if not _has_body(scope):
            enter()
        try:
            await self._app(scope, counted, replaced)
        finally:
            leave()

    async def _next_part(
        self, body: Body, limit: int, receive: Receive, deadline: float
    ) -> Message:
        """Raise ``RequestTooSlow``, ``BodyTooLarge`` or ``Overloaded`` in place of it."""
        try:
            async with asyncio.timeout_at(deadline) as body.waits:
                message = await receive()
        except TimeoutError:
            if body.gave_way:
                raise Overloaded() from None
            raise RequestTooSlow("body", self._settings.request_timeout_s) from None
        finally:
            body.waits = None
        self._bodies.grow(body, len(message.get("body", b"")))
        if body.received > limit:
            raise BodyTooLarge(limit)
        return message

    def _check_room(self) -> None:
        """Raise ``Overloaded`` when every place is taken."""
        if self._in_progress >= self._settings.max_concurrent_requests:
            raise Overloaded()


def _address(scope: Scope) -> str:
    return network_of(scope["client"][0]) if scope.get("client") else ""


def _has_body(scope: Scope) -> bool:
    """Whether a body will be read: of other methods none is, so that it would never be complete."""
    if scope["method"] not in {"POST", "PUT", "PATCH"}:
        return False
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
