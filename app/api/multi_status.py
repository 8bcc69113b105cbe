"""Answers about several files of which some may have been refused."""

from collections.abc import Sequence

from fastapi import Request, Response

from app.api.problems import problem_of, request_id_of
from app.api.rendering import rendered
from app.api.responses import AddAnswer, BatchAnswer, EmbedAnswer
from app.errors import GemelloError


def multi_status(
    request: Request,
    answer: AddAnswer | BatchAnswer | EmbedAnswer,
    errors: Sequence[GemelloError],
    success: int = 200,
) -> Response:
    """Return ``answer`` with the status ``success``, or 207 when some of its items failed.

    When all of them were refused, it is the first one's own problem, with the items beside.
    """
    if errors and len(errors) == len(answer.items):
        return problem_of(errors[0], request_id_of(request), items=answer.items)
    return rendered(answer, 207 if errors else success)
