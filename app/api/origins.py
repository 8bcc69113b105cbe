"""Whose pages may use the service: the hosts it answers for, and the origins that may write.

A browser sends what a page asks of it, and the service cannot tell it from its owner but by these two
headers. ``Host`` is another one when a page's name was made to point here (DNS rebinding);
``Sec-Fetch-Site`` and ``Origin`` say when a page of elsewhere writes. Reading across origins is
kept from pages by the browser (CORS).
"""

import ipaddress
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import HostNotAllowed, OriginNotAllowed
from app.api.keys import READING_METHODS
from app.api.refusals import refuse
from app.config import Settings

# RFC 1035; with a port.
_LONGEST_HOST = 261
_OWN_PAGES = frozenset({"same-origin", "none"})


class Origins:
    """Refuse requests for other hosts, and what pages of other origins would change."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        # What other pages may show, as a picture in their own.
        policy = b"cross-origin" if settings.allowed_origins else b"same-origin"
        self._policy = (b"cross-origin-resource-policy", policy)
        # A page that has a name point here has no key.
        guarded = settings.read_key is not None and settings.write_key is not None
        self._any_host = guarded or "*" in settings.allowed_host_names
        self._hosts = frozenset({*settings.allowed_host_names, settings.host.lower()})
        self._origins = frozenset(settings.allowed_origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            host = headers.get("host", "")
            if not self._any_host and not (
                len(host) <= _LONGEST_HOST and is_allowed_host(host, self._hosts)
            ):
                await refuse(HostNotAllowed(host), scope, receive, send)
                return
            if self._is_foreign(headers, host) and not self._may_be_shown(scope, headers):
                origin = headers.get("origin", "another site")
                await refuse(OriginNotAllowed(origin), scope, receive, send)
                return

            async def send_with_policy(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message.get("headers", ()), self._policy]
                await send(message)

            await self._app(scope, receive, send_with_policy)
        else:
            await self._app(scope, receive, send)

    def _may_be_shown(self, scope: Scope, headers: Headers) -> bool:
        """Whether a page of elsewhere leads somebody here, or shows what pages of elsewhere may show.

        A page that may not read an answer must not make the service work for it either.
        """
        reads = scope["method"] in READING_METHODS
        return reads and (bool(self._origins) or headers.get("sec-fetch-mode") == "navigate")

    def _is_foreign(self, headers: Headers, host: str) -> bool:
        origin = headers.get("origin")
        if "*" in self._origins or origin in self._origins:
            return False
        site = headers.get("sec-fetch-site")
        if site is not None:
            return site not in _OWN_PAGES
        # Browsers name the origin of everything but reads; what is no browser names none.
        return origin is not None and origin.lower().partition("://")[2] != host.lower()


@lru_cache(maxsize=1024)
def is_allowed_host(host: str, allowed: frozenset[str]) -> bool:
    """Whether a ``Host`` header is one of ``allowed``, a loopback name, or an address.

    An address in place of a name cannot be made to point elsewhere. HTTP/1.0 has no such header.
    """
    try:
        name = (urlsplit(f"//{host}").hostname or "").rstrip(".")
        if not host or name in allowed or name == "localhost" or name.endswith(".localhost"):
            return True
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
