"""The Python client of the service, sync and async; needs httpx alone."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from gemello.client import gallery, results, searches, service
from gemello.client.call import Call, Filter
from gemello.client.errors import ApiError, Unreachable

DEFAULT_URL = "http://127.0.0.1:8000"
_RETRIED = frozenset({429, 503})
_PATIENCE_S = 60.0
_LOOK_AGAIN_S = 0.5

P = ParamSpec("P")
T = TypeVar("T")


def _now(call: Callable[P, Call[T]]) -> "Callable[Concatenate[Client, P], T]":
    @wraps(call)
    def method(self: "Client", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.run(call(*args, **kwargs))

    return method


def _later(
    call: Callable[P, Call[T]],
) -> "Callable[Concatenate[AsyncClient, P], Coroutine[Any, Any, T]]":
    @wraps(call)
    async def method(self: "AsyncClient", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.run(call(*args, **kwargs))

    return method


class Client:
    """Talks to a running service; use it as a context manager.

    A request that is answered with 429 or 503 is sent again after the time the service names,
    ``retries`` times. Raises ``ApiError`` or ``Unreachable``.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 5,
    ) -> None:
        self._url, self._retries = url, retries
        try:
            self._http = httpx.Client(base_url=url, headers=_headers(key), timeout=timeout_s)
        except httpx.InvalidURL as exc:
            raise Unreachable(f"No Gemello answers at {url}: {exc}.") from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    health = _now(service.health)
    search = _now(searches.search)
    search_batch = _now(searches.search_batch)
    similar = _now(searches.similar)
    add = _now(gallery.add)
    page = _now(gallery.page)
    get = _now(gallery.get)
    content = _now(gallery.content)
    thumbnail = _now(gallery.thumbnail)
    update = _now(gallery.update)
    remove = _now(gallery.remove)
    remove_where = _now(gallery.remove_where)
    embed = _now(searches.embed)
    compare = _now(searches.compare)
    duplicates = _now(searches.duplicates)
    stats = _now(gallery.stats)
    import_archive = _now(service.import_archive)
    import_folder = _now(service.import_folder)
    import_urls = _now(service.import_urls)
    jobs = _now(service.jobs)
    job = _now(service.job)
    cancel = _now(service.cancel)
    models = _now(service.models)
    activate = _now(service.activate)

    def images(
        self,
        *,
        limit: int = 1000,
        filter: Filter | None = None,  # noqa: A002
    ) -> Iterator[results.Image]:
        """Every image's record, in order of arrival, fetched ``limit`` at a time."""
        cursor: str | None = None
        while True:
            page = self.page(limit=limit, cursor=cursor, filter=filter)
            yield from page.images
            cursor = page.next_cursor
            if cursor is None:
                return

    def wait(
        self, job_id: str, watch: Callable[[results.Job], None] = lambda _: None
    ) -> results.Job:
        """Wait until a job has ended; ``watch`` sees it now and then."""
        while not (job := self.job(job_id)).finished:
            watch(job)
            time.sleep(_LOOK_AGAIN_S)
        watch(job)
        return job

    def run(self, call: Call[T]) -> T:
        """Send a call, and again while the service is busy."""
        for left in range(self._retries, -1, -1):
            with ExitStack() as files:
                try:
                    response = self._http.request(call.method, call.path, **_sent(call, files))
                except httpx.TransportError as exc:
                    raise Unreachable(f"No Gemello answers at {self._url}: {exc}.") from exc
            if not (call.retry and left and response.status_code in _RETRIED):
                break
            time.sleep(_retry_after(response))
        return _parsed(call, response, self._url)


class AsyncClient:
    """The same for asyncio; every call is awaited."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout_s: float = 60.0,
        retries: int = 5,
    ) -> None:
        self._url, self._retries = url, retries
        try:
            self._http = httpx.AsyncClient(base_url=url, headers=_headers(key), timeout=timeout_s)
        except httpx.InvalidURL as exc:
            raise Unreachable(f"No Gemello answers at {url}: {exc}.") from exc

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    health = _later(service.health)
    search = _later(searches.search)
    search_batch = _later(searches.search_batch)
    similar = _later(searches.similar)
    add = _later(gallery.add)
    page = _later(gallery.page)
    get = _later(gallery.get)
    content = _later(gallery.content)
    thumbnail = _later(gallery.thumbnail)
    update = _later(gallery.update)
    remove = _later(gallery.remove)
    remove_where = _later(gallery.remove_where)
    embed = _later(searches.embed)
    compare = _later(searches.compare)
    duplicates = _later(searches.duplicates)
    stats = _later(gallery.stats)
    import_archive = _later(service.import_archive)
    import_folder = _later(service.import_folder)
    import_urls = _later(service.import_urls)
    jobs = _later(service.jobs)
    job = _later(service.job)
    cancel = _later(service.cancel)
    models = _later(service.models)
    activate = _later(service.activate)

    async def images(
        self,
        *,
        limit: int = 1000,
        filter: Filter | None = None,  # noqa: A002
    ) -> AsyncIterator[results.Image]:
        """Every image's record, in order of arrival, fetched ``limit`` at a time."""
        cursor: str | None = None
        while True:
            page = await self.page(limit=limit, cursor=cursor, filter=filter)
            for image in page.images:
                yield image
            cursor = page.next_cursor
            if cursor is None:
                return

    async def wait(
        self, job_id: str, watch: Callable[[results.Job], None] = lambda _: None
    ) -> results.Job:
        """Wait until a job has ended; ``watch`` sees it now and then."""
        while not (job := await self.job(job_id)).finished:
            watch(job)
            await asyncio.sleep(_LOOK_AGAIN_S)
        watch(job)
        return job

    async def run(self, call: Call[T]) -> T:
        """Send a call, and again while the service is busy."""
        for left in range(self._retries, -1, -1):
            with ExitStack() as files:
                try:
                    response = await self._http.request(
                        call.method, call.path, **_sent(call, files)
                    )
                except httpx.TransportError as exc:
                    raise Unreachable(f"No Gemello answers at {self._url}: {exc}.") from exc
            if not (call.retry and left and response.status_code in _RETRIED):
                break
            await asyncio.sleep(_retry_after(response))
        return _parsed(call, response, self._url)


def _headers(key: str | None) -> dict[str, str]:
    return {"X-API-Key": key} if key else {}


def _sent(call: Call[Any], stack: ExitStack) -> dict[str, Any]:
    """What httpx shall send; files are opened anew for every attempt."""
    files = [
        (name, (shown, stack.enter_context(what.open("rb")) if isinstance(what, Path) else what))
        for name, shown, what in call.files
    ]
    return {
        "params": dict(call.params) or None,
        "data": dict(call.data) or None,
        "json": call.body,
        "files": files or None,
    }


def _parsed(call: Call[T], response: httpx.Response, url: str) -> T:
    """The answer's meaning. Raises ``ApiError``, or ``Unreachable`` when it is not Gemello's."""
    body = _json(response)
    refused_items = call.items and isinstance(body, dict) and "items" in body
    if not response.is_success and not refused_items:
        raise ApiError(response.status_code, body if isinstance(body, Mapping) else {})
    try:
        return call.parse(response.content if call.raw else body)
    except ValueError as exc:
        raise Unreachable(f"{url} answers, but not as Gemello does.") from exc


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(value), _PATIENCE_S) if value.isdigit() else 1.0
