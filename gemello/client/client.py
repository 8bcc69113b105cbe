"""The Python client of the service, sync and async; needs httpx alone."""

from gemello.client.gallery import AsyncGallery, Gallery
from gemello.client.searches import AsyncSearches, Searches
from gemello.client.service import AsyncService, Service


class Client(Searches, Gallery, Service):
    """Talks to a running service; use it as a context manager.

    ``Client(url, key=…, timeout_s=…, retries=…)``: a request that is answered with 429 or 503 is sent
    again after the time that the service names, ``retries`` times. Every method raises ``ApiError`` when
    the service refuses, and ``Unreachable`` when no Gemello answers.
    """


class AsyncClient(AsyncSearches, AsyncGallery, AsyncService):
    """The same as ``Client`` for asyncio; every call is awaited."""
