"""Errors as HTTP: one table of statuses, one problem body (RFC 9457), and the handlers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app import errors

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"

# The nearest class in an error's family decides.
STATUS: Mapping[type[errors.GemelloError], int] = {
    errors.GemelloError: 500,
    errors.ImageError: 400,
    errors.ImageTooLarge: 413,
    errors.ImageTypeUnsupported: 415,
    errors.ImportFailure: 400,
    errors.AddressRefused: 403,
    errors.FetchFailed: 502,
    errors.ParameterInvalid: 422,
    errors.ImageNotFound: 404,
    errors.ImageConflict: 409,
    errors.StorageFull: 507,
    errors.StorageUnavailable: 503,
    errors.ModelError: 503,
    errors.ModelNotFound: 404,
    errors.JobNotFound: 404,
    errors.JobConflict: 409,
    errors.Overloaded: 429,
    errors.NotReady: 503,
}


class RequestRefused(errors.GemelloError):
    """What only HTTP can get wrong: too large a body, too slow, no key."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.refusal = status, code


def status_of(error: errors.GemelloError) -> int:
    if isinstance(error, RequestRefused):
        return error.status
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def problem(
    status: int, code: str, detail: str, request_id: str, title: str = "", **more: Any
) -> JSONResponse:
    """The one error body; ``more`` are extension members."""
    body = {
        "type": "about:blank",
        "title": title or HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": request_id,
        **more,
    }
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(body, status, headers, MEDIA_TYPE)


def problem_of(error: errors.GemelloError, request_id: str, **more: Any) -> JSONResponse:
    code = error.refusal if isinstance(error, RequestRefused) else error.code
    title = "" if isinstance(error, RequestRefused) else error.title
    response = problem(status_of(error), code, str(error), request_id, title, **more)
    if isinstance(error, errors.Overloaded):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def request_id_of(request: Request) -> str:
    return str(request.scope.get("request_id", ""))


def add_error_handlers(app: FastAPI) -> None:
    @app.exception_handler(errors.GemelloError)
    def _ours(request: Request, exc: errors.GemelloError) -> JSONResponse:
        return problem_of(exc, request_id_of(request))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
        found = [_location_and_message(error) for error in exc.errors()]
        detail = "; ".join(f"{where}: {message}" for where, message in found)
        listed = [{"parameter": where, "message": message} for where, message in found]
        return problem(
            422,
            errors.ParameterInvalid.code,
            f"{detail}.",
            request_id_of(request),
            errors.ParameterInvalid.title,
            errors=listed,
        )

    @app.exception_handler(HTTPException)
    def _http(request: Request, exc: HTTPException) -> JSONResponse:
        code = {404: "not_found", 405: "method_not_allowed"}.get(
            exc.status_code, "request_malformed"
        )
        detail = str(exc.detail)
        if exc.status_code == HTTPStatus.NOT_FOUND:
            detail = f"There is nothing at {request.url.path}; see /docs."
        response = problem(exc.status_code, code, detail, request_id_of(request))
        response.headers.update(exc.headers or {})
        return response

    @app.exception_handler(Exception)
    def _bug(request: Request, exc: Exception) -> JSONResponse:
        log.error("unhandled error", exc_info=exc)
        return problem(
            500,
            "internal_error",
            "The service made a mistake; its log has the details under this request id.",
            request_id_of(request),
        )


def _location_and_message(error: Any) -> tuple[str, str]:
    where = ".".join(str(part) for part in error["loc"][1:]) or str(error["loc"][0])
    return where, str(error["msg"]).removeprefix("Value error, ")
