"""Sends calls to a running service, and reads its answers; sync and async."""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx

from gemello.client.calls.call import Call
from gemello.client.errors import ApiError, Unreachable

DEFAULT_URL = "http://127.0.0.1:8000"
_RETRIED = frozenset({429, 503})
_PATIENCE_S = 60.0

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])


class Connection:
    """A connection to a running service."""

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
            raise _unreachable(url, exc) from exc

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def run(self, call: Call[T]) -> T:
        """Send a call, and again while the service is busy. Raises ``ApiError``, ``Unreachable``."""
        for left in range(self._retries, -1, -1):
            with ExitStack() as files:
                try:
                    response = self._http.request(call.method, call.path, **_sent(call, files))
                except httpx.TransportError as exc:
                    raise _unreachable(self._url, exc) from exc
            if not (call.retry and left and response.status_code in _RETRIED):
                break
            time.sleep(_retry_after(response))
        return _parsed(call, response, self._url)


class AsyncConnection:
    """A connection to a running service, for asyncio."""

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
            raise _unreachable(url, exc) from exc

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def run(self, call: Call[T]) -> T:
        """Send a call, and again while the service is busy. Raises ``ApiError``, ``Unreachable``."""
        for left in range(self._retries, -1, -1):
            with ExitStack() as files:
                try:
                    response = await self._http.request(
                        call.method, call.path, **_sent(call, files)
                    )
                except httpx.TransportError as exc:
                    raise _unreachable(self._url, exc) from exc
            if not (call.retry and left and response.status_code in _RETRIED):
                break
            await asyncio.sleep(_retry_after(response))
        return _parsed(call, response, self._url)


def same_doc_as(method: Callable[..., object]) -> Callable[[F], F]:
    """Give an async method the docstring of its sync twin, so that the text stands once."""

    def decorate(twin: F) -> F:
        twin.__doc__ = method.__doc__
        return twin

    return decorate


def _headers(key: str | None) -> dict[str, str]:
    return {"X-API-Key": key} if key else {}


def _unreachable(url: str, exc: Exception) -> Unreachable:
    return Unreachable(f"No Gemello answers at {url}: {exc}.")


def _sent(call: Call[Any], stack: ExitStack) -> dict[str, Any]:
    """Return what httpx sends; files are opened anew for every attempt."""
    files = [
        (part, (name, stack.enter_context(image.open("rb")) if isinstance(image, Path) else image))
        for part, name, image in call.files
    ]
    return {
        "params": dict(call.params) or None,
        "data": dict(call.data) or None,
        "json": call.body,
        "files": files or None,
    }


def _parsed(call: Call[T], response: httpx.Response, url: str) -> T:
    """Return the answer's meaning. Raises ``ApiError``, or ``Unreachable`` when it is not Gemello's."""
    body = _json(response)
    refused_items = call.items and isinstance(body, dict) and "items" in body
    if not response.is_success and not refused_items:
        raise ApiError(response.status_code, body if isinstance(body, Mapping) else {})
    try:
        return call.parse(response.content if call.raw else body)
    except ValueError as exc:
        raise Unreachable(f"{url} answers, but not as Gemello does: {exc}.") from exc


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except ValueError:
        return None


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(value), _PATIENCE_S) if value.isdigit() else 1.0
