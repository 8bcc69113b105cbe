"""The Python client of the service; needs httpx alone."""

import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import quote

import httpx

DEFAULT_URL = "http://127.0.0.1:8000"
_RETRIED = frozenset({429, 503})


class Unreachable(Exception):
    """No Gemello answers at the address."""


class ApiError(Exception):
    """The service refused a request: its ``status``, stable ``code``, and the whole ``problem``."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or f"the service answered {status}"))
        self.status, self.problem = status, problem
        self.code = str(problem.get("code", "unknown"))


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
        headers = {"X-API-Key": key} if key else {}
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout_s)
        except httpx.InvalidURL as exc:
            raise Unreachable(f"No Gemello answers at {url}: {exc}.") from exc
        self._url, self._retries = url, retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def health(self) -> dict[str, Any]:
        """The service's state. Raises ``ApiError`` with status 503 until it is ready."""
        return self._object("GET", "/health", retry=False)

    def search(self, image: Path | bytes, *, top_k: int = 10, offset: int = 0) -> dict[str, Any]:
        """The gallery sorted by distance from ``image``, which is not stored.

        Each of ``results`` has ``distance``, ``score`` (probability of a match) and ``match``
        (whether it is near enough to be called one); both are None with an uncalibrated model.
        """
        name, data = ("query", image) if isinstance(image, bytes) else (_shown(image), None)
        with ExitStack() as files:
            content = files.enter_context(image.open("rb")) if isinstance(image, Path) else data
            return self._object(
                "POST",
                "/search",
                files=[("image", (name, content))],
                data={"top_k": str(top_k), "offset": str(offset)},
            )

    def add(
        self,
        paths: Sequence[Path],
        *,
        ids: Sequence[str | None] | None = None,
        labels: Sequence[str | None] | None = None,
        metadata: Sequence[Mapping[str, Any] | None] | None = None,
        on_conflict: str = "skip",
    ) -> list[dict[str, Any]]:
        """Store image files; one item for each, whose ``status`` and ``error`` say what became of it.

        Files that are refused do not raise; a request that is refused as a whole does.
        """
        lists = {"ids": ids, "labels": labels, "metadata": metadata}
        data = {name: json.dumps(list(v)) for name, v in lists.items() if v is not None}
        with ExitStack() as stack:
            files: list[tuple[str, tuple[str, BinaryIO]]] = [
                ("images", (_shown(path), stack.enter_context(path.open("rb")))) for path in paths
            ]
            try:
                answer = self._object(
                    "POST", "/gallery", files=files, data={**data, "on_conflict": on_conflict}
                )
            except ApiError as exc:
                if "items" not in exc.problem:
                    raise
                answer = dict(exc.problem)
        items: list[dict[str, Any]] = answer["items"]
        return items

    def images(self, limit: int = 1000) -> Iterator[dict[str, Any]]:
        """Every image's record, in order of arrival, fetched ``limit`` at a time."""
        cursor: str | None = None
        while True:
            query = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
            page = self._object("GET", "/gallery", params=query)
            yield from page["images"]
            cursor = page["next_cursor"]
            if cursor is None:
                return

    def get(self, image_id: str) -> dict[str, Any]:
        """One image's record."""
        return self._object("GET", f"/gallery/{quote(image_id, safe='')}")

    def remove(self, image_id: str) -> None:
        """Remove an image from the gallery."""
        self._send("DELETE", f"/gallery/{quote(image_id, safe='')}")

    def _object(
        self, method: str, path: str, *, retry: bool = True, **options: Any
    ) -> dict[str, Any]:
        response = self._send(method, path, retry=retry, **options)
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise Unreachable(f"{self._url} answers, but not as Gemello does.")
        return answer

    def _send(
        self, method: str, path: str, *, retry: bool = True, **options: Any
    ) -> httpx.Response:
        for attempt in range(self._retries + 1):
            for _, (_, content) in options.get("files", []):
                if hasattr(content, "seek"):
                    content.seek(0)
            try:
                response = self._http.request(method, path, **options)
            except httpx.TransportError as exc:
                raise Unreachable(f"No Gemello answers at {self._url}: {exc}.") from exc
            if response.is_success:
                return response
            if not retry or response.status_code not in _RETRIED or attempt == self._retries:
                break
            time.sleep(_retry_after(response))
        raise ApiError(response.status_code, _problem(response))


def _shown(path: Path) -> str:
    """A file's name as valid Unicode, which on Linux it need not be."""
    return os.fsencode(path.name).decode(errors="replace")


def _retry_after(response: httpx.Response) -> float:
    value = response.headers.get("retry-after", "")
    return min(float(value), 60.0) if value.isdigit() else 1.0


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        problem = response.json()
    except ValueError:
        return {}
    return problem if isinstance(problem, dict) else {}
