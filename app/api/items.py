"""Answers about several files of which some may have been refused."""

from collections.abc import Sequence

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from app.api import responses as answers
from app.api.errors import problem_of, request_id_of, status_of
from app.errors import GemelloError


def item_error(error: GemelloError | None) -> answers.ItemError | None:
    if error is None:
        return None
    return answers.ItemError(code=error.code, detail=str(error), status=status_of(error))


def mixed(
    request: Request,
    answer: BaseModel,
    errors: Sequence[GemelloError],
    count: int,
    success: int = 200,
) -> Response:
    """``answer`` with the status ``success``, or 207 when some of its ``count`` items failed.

    With all refused it is the first one's own problem, with the items beside.
    """
    body = answer.model_dump()
    if errors and len(errors) == count:
        return problem_of(errors[0], request_id_of(request), items=body["items"])
    return JSONResponse(body, 207 if errors else success)
