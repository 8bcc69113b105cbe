"""Answers about several files of which some may have been refused."""

from collections.abc import Sequence
from typing import Protocol

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.api.problems import problem_of, request_id_of
from app.errors import GemelloError


class _ItemsAnswer(Protocol):
    @property
    def items(self) -> Sequence[BaseModel]: ...

    def model_dump(self) -> dict[str, object]: ...


def multi_status(
    request: Request, answer: _ItemsAnswer, errors: Sequence[GemelloError], success: int = 200
) -> Response:
    """Return ``answer`` with the status ``success``, or 207 when some of its items failed.

    When all of them were refused, it is the first one's own problem, with the items beside.
    """
    if errors and len(errors) == len(answer.items):
        return problem_of(errors[0], request_id_of(request), items=answer.items)
    return JSONResponse(answer.model_dump(), 207 if errors else success)
