"""Pure ASGI middleware: what must hold before a body is read, and while it is.

FastAPI parses and spools a body before any dependency runs, so keys, sizes and deadlines are
checked here, around ``receive``.
"""

import asyncio
import contextlib
import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.body_limits import body_limit
from app.api.errors import BodyTooLarge, BodyTooSlow, KeyMayNotWrite, KeyMissing
from app.api.problems import problem_of
from app.config import Settings
from app.errors import GemelloError, Overloaded

# Asked by machines that watch: never refused for load, and open to everyone.
OPEN_PATHS = frozenset({"/health", "/health/live", "/health/ready"})
# Never refused for load either, but it needs a key where reading does.
_METRICS = "/metrics"
# Pages that hold no data: a browser must be able to open them to be given a key.
_PAGES = ("/docs", "/openapi.json", "/static/")
_LINGER_S = 2.0
_READING_POSTS = frozenset({"/search", "/search/batch", "/embed", "/compare"})


class RequestLimits:
    """Check the keys, the size, the time and the number at once of every request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._in_progress = 0
        self._bytes = 0
        """Of all bodies that have arrived, or are arriving, and are still needed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        try:
            self._check_key(scope)
            limit = body_limit(scope, self._settings)
            if scope["path"] != _METRICS:
                self._check_room()
        except GemelloError as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        if scope["path"] == _METRICS:
            await self._app(scope, receive, send)
        else:
            await self._guarded(scope, receive, send, limit)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        """Count what arrives; once too much or too late, our answer replaces the app's.

        A request takes a slot when its body has arrived, so that slow callers take none.
        """
        deadline = asyncio.get_running_loop().time() + self._settings.request_timeout_s
        received, answered = 0, False
        refusal: GemelloError | None = None
        complete = not _has_body(scope)
        self._in_progress += complete

        async def counted() -> Message:
            nonlocal received, complete, refusal
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
                received += len(message.get("body", b""))
                self._bytes += len(message.get("body", b""))
                if received > limit:
                    raise BodyTooLarge(limit)
                if not message.get("more_body", False):
                    self._check_room()
                    complete = True
                    self._in_progress += 1
            except TimeoutError:
                refusal = BodyTooSlow(self._settings.request_timeout_s)
                raise refusal from None
            except GemelloError as exc:
                refusal = exc
                raise
            return message

        async def replaced(message: Message) -> None:
            nonlocal answered
            if refusal is None:
                await send(message)
            elif not answered:
                answered = True
                await _refuse(refusal, scope, receive, send)

        try:
            await self._app(scope, counted, replaced)
        finally:
            self._in_progress -= complete
            self._bytes -= received

    def _check_room(self) -> None:
        """Raise ``Overloaded`` when no slot is free, or bodies fill what all slots together could."""
        slots = self._settings.max_concurrent_requests
        if self._in_progress >= slots or self._bytes > slots * self._settings.max_request_bytes:
            raise Overloaded()

    def _check_key(self, scope: Scope) -> None:
        path, reads = scope["path"], scope["method"] in {"GET", "HEAD", "OPTIONS"}
        read_key, write_key = self._settings.read_key, self._settings.write_key
        if (read_key is None and write_key is None) or path == "/" or path.startswith(_PAGES):
            return
        given = _key(Headers(scope=scope))
        if write_key and _same(given, write_key.get_secret_value()):
            return
        may_read = read_key is None or _same(given, read_key.get_secret_value())
        if may_read and (reads or path in _READING_POSTS):
            return
        if read_key and may_read:
            raise KeyMayNotWrite
        raise KeyMissing


async def _refuse(refusal: GemelloError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer at once, then throw away what still arrives for a moment, and close.

    Closing at once would reset the connection under a caller who is still sending, who would
    then never see the answer.
    """
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


def _has_body(scope: Scope) -> bool:
    """Whether a body will be read: of other methods none is, so that it would never be complete."""
    if scope["method"] not in {"POST", "PUT", "PATCH"}:
        return False
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _key(headers: Headers) -> str:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token if scheme.lower() == "bearer" else "")


def _same(given: str, expected: str) -> bool:
    """Compare in constant time, so that a key cannot be guessed letter by letter."""
    return hmac.compare_digest(given.encode(), expected.encode())
