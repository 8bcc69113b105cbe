"""The one error body, a problem (RFC 9457): how it is made, and how routes document it."""

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.api.errors import status_of
from app.api.responses import Problem
from app.errors import GemelloError, Overloaded

MEDIA_TYPE = "application/problem+json"


class _ProblemResponse(JSONResponse):
    """A problem may quote what it was sent: half of a surrogate pair, too, which UTF-8 cannot hold."""

    media_type = MEDIA_TYPE

    def render(self, content: Any) -> bytes:
        # The backslash that takes its place is how JSON writes it.
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        return text.encode(errors="backslashreplace")


def problem(
    status: int,
    code: str,
    detail: str,
    request_id: str,
    title: str = "",
    **extensions: Sequence[BaseModel],
) -> JSONResponse:
    """Return the answer that carries a problem; ``extensions`` are further members of its body."""
    body = Problem(
        type="about:blank",
        title=title or HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
        request_id=request_id,
    )
    members = {name: [part.model_dump() for part in parts] for name, parts in extensions.items()}
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return _ProblemResponse({**body.model_dump(), **members}, status, headers)


def problem_of(
    error: GemelloError, request_id: str, **extensions: Sequence[BaseModel]
) -> JSONResponse:
    """Return the answer to a request that ended in ``error``."""
    response = problem(
        status_of(error), error.code, error.detail, request_id, error.title, **extensions
    )
    if isinstance(error, Overloaded):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def request_id_of(request: Request) -> str:
    """Return the id that the request got on its way in."""
    return str(request.scope.get("request_id", ""))


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return OpenAPI's ``responses`` for these statuses and 500, all of one shape."""
    reference = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": reference}},
        }
        for status in sorted({*statuses, 500})
    }
