"""The server: uvicorn, with our connections and as many of them as there are descriptors for."""

import asyncio
import contextlib
import resource
import socket
from typing import Any

import structlog
import uvicorn
from starlette.types import ASGIApp

from app.api.connections.places import Places
from app.api.connections.protocol import IDLE_S, Connection

log = structlog.get_logger()

STOP_S = 20
"""How long requests may take to finish once the service is told to stop."""
_BACKLOG = 2048
# asyncio takes this many connections at once, before any of them is looked at.
_TAKEN_AT_ONCE = 64
# The service's own: the listener, the database, the model, the log, and connections not yet looked at.
_RESERVE = 64 + _TAKEN_AT_ONCE
_WANTED, _MOST = 10_000, 4_000


def raise_descriptor_limit() -> None:
    """Let this process have as many descriptors as it may: the usual limit is far below."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED if hard == resource.RLIM_INFINITY else min(_WANTED, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def connections_for(descriptors: int) -> int:
    """Return how many connections there may be: each may need a descriptor for a file besides."""
    return max(8, min(_MOST, (descriptors - _RESERVE) // 2))


class ServerConfig(uvicorn.Config):
    """What uvicorn is told, and what it does not know of."""

    def __init__(self, app: ASGIApp) -> None:
        super().__init__(
            app,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            # Whoever stands in front is one caller: what it says of others, any caller could say.
            proxy_headers=False,
            backlog=_TAKEN_AT_ONCE,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=STOP_S,
        )
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        unlimited = limit == resource.RLIM_INFINITY
        self.places = Places(_MOST if unlimited else connections_for(limit))


class Server(uvicorn.Server):
    """uvicorn, which also looks after connections that nothing happens on."""

    def __init__(self, config: ServerConfig) -> None:
        super().__init__(config)
        self._places = config.places

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            # uvicorn has one number for what asyncio takes at once and for what the system holds.
            listener.listen(_BACKLOG)
        asyncio.get_running_loop().set_exception_handler(self._handle)
        self._sweeping = asyncio.create_task(self._sweep())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        self._sweeping.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(1)
            try:
                self._places.sweep()
            except Exception:  # whatever it is, the deadlines of all others must still be kept
                log.exception("connections could not be looked after")

    def _handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        # asyncio reports it for every connection that it cannot take: 170 MB of log in 20 s.
        if context["message"].startswith("socket.accept() out of system resource"):
            self._places.out_of_descriptors()
        else:
            loop.default_exception_handler(context)
