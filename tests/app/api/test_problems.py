"""The one error body."""

import json

import pytest

from app.api import errors
from app.api.problems import problem_of
from app.api.responses import ItemError
from app.errors import GemelloError, ImageNotFound, NotReady, Overloaded


@pytest.mark.parametrize(
    ("error", "status", "title", "headers"),
    [
        (ImageNotFound("a"), 404, "No such image", {}),
        (Overloaded(7), 429, "Too many requests", {"retry-after": "7"}),
        (NotReady("it starts"), 503, "Not ready", {"retry-after": "1"}),
        (errors.KeyMissing(), 401, "Unauthorized", {"www-authenticate": "Bearer"}),
        (errors.KeyMayNotWrite(), 403, "Forbidden", {}),
        (errors.RequestTooSlow("body", 0.5), 408, "Request Timeout", {}),
    ],
)
def test_an_error_becomes_a_problem(
    error: GemelloError, status: int, title: str, headers: dict[str, str]
) -> None:
    response = problem_of(error, "id-1")
    assert response.status_code == status
    assert json.loads(bytes(response.body)) == {
        "type": "about:blank",
        "title": title,
        "status": status,
        "detail": str(error),
        "code": error.code,
        "request_id": "id-1",
    }
    assert response.headers["content-type"] == "application/problem+json"
    sent = {name: value for name, value in response.headers.items() if name in headers}
    assert sent == headers


def test_a_limit_is_named_as_its_variable_is_typed() -> None:
    detail = str(errors.BodyTooLarge(1_000_000))
    assert detail == (
        "The request's body is larger than 1,000,000 bytes, the most that this route takes (see "
        "GEMELLO_MAX_REQUEST_BYTES and GEMELLO_MAX_IMAGE_BYTES)."
    )


def test_a_problem_can_carry_more() -> None:
    item = ItemError.of(ImageNotFound("a"))
    body = json.loads(bytes(problem_of(ImageNotFound("a"), "id-1", items=[item]).body))
    assert body["items"] == [item.model_dump()]
