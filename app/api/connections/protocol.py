"""One connection: uvicorn's protocol, with deadlines for the client and problems for answers."""

import asyncio
import socket
import struct
import sys
from enum import Enum, auto
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol
from uvicorn.server import ServerState

from app.api.addresses import network_of
from app.api.connections.framing import ambiguity
from app.api.connections.places import PROGRESS_BYTES
from app.api.errors import HeadersTooLarge, RequestMalformed, RequestTooSlow, TooManyConnections
from app.api.headers import protective_headers
from app.api.problems import problem_of
from app.errors import GemelloError, NotReady

if TYPE_CHECKING:
    from app.api.connections.server import ServerConfig

HEADERS_S = 10.0
"""For a connection's first request to be there, up to the end of its headers."""
IDLE_S = 75
"""For each later one. Longer than proxies keep idle connections, or they would use one as it ends."""
READING_S = 20.0
"""For a caller to take ``PROGRESS_BYTES`` of its answer away."""
STOPPING_S = 5.0
"""For a caller to take an answer away once the service is told to stop."""


class Stage(Enum):
    """What a connection waits for."""

    REQUEST = auto()
    BODY = auto()
    WORK = auto()
    READER = auto()


class Connection(H11Protocol):
    """uvicorn's HTTP/1.1, whose client must not keep it waiting.

    uvicorn has no deadline for headers, for silence, and for the reading of an answer, and answers
    what is no HTTP in plain text.
    """

    address = ""

    def __init__(
        self,
        config: "ServerConfig",
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._places = config.places
        self._stage = Stage.REQUEST
        self._held = self._stopping = False
        self._unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = network_of(self.client[0] if self.client else "")
        self._held = self._places.admit(self)
        if self._held:
            self._places.wait(self, HEADERS_S)
        else:
            self._refuse(TooManyConnections())

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        before = self.cycle
        if self.conn.their_state is h11.IDLE and (why := ambiguity(self.conn.trailing_data[0])):
            self._refuse(RequestMalformed(why))
            return
        super().handle_events()
        self._follow(anew=self.cycle is not before)

    def on_response_complete(self) -> None:
        before = self.cycle
        super().on_response_complete()
        # A request that was sent ahead has been looked at already.
        if self.cycle is before:
            self._follow(anew=True)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._follow()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._follow()

    def send_400_response(self, msg: str) -> None:
        # Called while h11's error is handled, which alone knows what is wrong.
        error = sys.exception()
        if isinstance(error, h11.RemoteProtocolError):
            too_large = error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
            self._refuse(HeadersTooLarge() if too_large else RequestMalformed(str(error)))
        else:
            self._refuse(RequestMalformed(msg))

    def shutdown(self) -> None:
        """Finish what has been accepted, that is, has arrived; and nothing else."""
        self._stopping = True
        if self._stage is Stage.WORK:
            self.cycle.keep_alive = False
        elif self._stage is Stage.READER:
            self._follow(anew=True)
        else:
            self._dismiss(NotReady("it is shutting down"))

    def unread(self) -> int:
        return self.transport.get_write_buffer_size()

    def give_way(self) -> None:
        self._leave()
        self._dismiss(TooManyConnections())

    def expire(self) -> None:
        if self._stage is not Stage.READER:
            self._dismiss(RequestTooSlow("headers", HEADERS_S if self.cycle is None else IDLE_S))
        elif self._unread - self.unread() >= PROGRESS_BYTES and not self._stopping:
            self._follow(anew=True)
        else:
            self._end()

    def _follow(self, *, anew: bool = False) -> None:
        """Tell ``places`` whom the connection waits for, when that has changed or begins ``anew``."""
        stage = self._now()
        if not self._held or (stage is self._stage and not anew):
            return
        self._stage = stage
        match stage:
            case Stage.REQUEST:
                self._places.wait(self, IDLE_S)
            case Stage.BODY:
                self._places.wait(self)  # its deadline is that of the request: app.api.limits
            case Stage.READER:
                self._unread = self.unread()
                seconds = STOPPING_S if self._stopping else READING_S
                self._places.wait(self, seconds, for_reader=True)
            case Stage.WORK:
                self._places.work(self)

    def _now(self) -> Stage:
        if self.flow.write_paused or self.transport.is_closing():
            return Stage.READER
        if not self._is_answering():
            return Stage.REQUEST
        return Stage.BODY if self.cycle.more_body else Stage.WORK

    def _dismiss(self, refusal: GemelloError) -> None:
        """Close, with an answer where one is expected: unasked it would be taken for the next one's."""
        if self._is_answering() or self.conn.trailing_data[0]:
            self._refuse(refusal)
        else:
            self._end()

    def _refuse(self, refusal: GemelloError) -> None:
        """Close; answer first, unless an answer has begun."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(refusal)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._end()

    def _end(self) -> None:
        """Close at once: what is unread is thrown away, by the system, too."""
        if self.unread():
            connection = self.transport.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.transport.abort()
        else:
            self.transport.close()

    def _answer(self, refusal: GemelloError) -> None:
        request_id = uuid4().hex
        response = problem_of(refusal, request_id)
        headers = [
            *response.raw_headers,
            *protective_headers(request_id),
            (b"connection", b"close"),
        ]
        status = response.status_code
        is_head = self._is_answering() and self.cycle.scope["method"] == "HEAD"
        for event in (
            h11.Response(status_code=status, headers=headers, reason=STATUS_PHRASES[status]),
            h11.Data(data=b"" if is_head else bytes(response.body)),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _leave(self) -> None:
        if self._held:
            self._held = False
            self._places.leave(self)
