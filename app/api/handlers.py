"""What becomes of an exception that a route raises: a problem, always."""

import errno
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic_core import ErrorDetails
from starlette.exceptions import HTTPException
from starlette.routing import Match

from app.api.problems import problem, problem_of, request_id_of
from app.api.responses import ParameterError
from app.errors import GemelloError, Overloaded, ParameterInvalid
from app.storage.failures import DISK_ERRORS, storage_error

log = structlog.get_logger()

# Of the parameters that are wrong; a request may have tens of thousands.
_MOST_NAMED = 20

# What the framework refuses by itself.
_CODES = {404: "not_found", 405: "method_not_allowed"}


def add_error_handlers(app: FastAPI) -> None:
    """Let ``app`` answer every exception with a problem."""

    @app.exception_handler(GemelloError)
    def _ours(request: Request, exc: GemelloError) -> JSONResponse:
        if exc.detail != str(exc):
            log.info("a request could not be answered", reason=str(exc))
        return problem_of(exc, request_id_of(request))

    @app.exception_handler(RequestValidationError)
    def _invalid(request: Request, exc: RequestValidationError) -> JSONResponse:
        invalid = [_parameter_error(error) for error in exc.errors()[:_MOST_NAMED]]
        return problem(
            422,
            ParameterInvalid.code,
            "; ".join(f"{error.parameter}: {error.message}" for error in invalid) + ".",
            request_id_of(request),
            ParameterInvalid.title,
            errors=invalid,
        )

    @app.exception_handler(OSError)
    def _disk(request: Request, exc: OSError) -> JSONResponse:
        """Of the folder for temporary files, where large bodies are spooled."""
        if exc.errno in (errno.EMFILE, errno.ENFILE):
            # Each of many files has a descriptor; others give theirs back soon.
            return problem_of(Overloaded(), request_id_of(request))
        if exc.errno not in DISK_ERRORS:
            return _bug(request, exc)
        return problem_of(storage_error(exc), request_id_of(request))

    @app.exception_handler(HTTPException)
    def _http(request: Request, exc: HTTPException) -> JSONResponse:
        # The framework calls whatever goes wrong while it reads a body the caller's fault.
        if isinstance(exc.__cause__, OSError):
            return _disk(request, exc.__cause__)
        code = _CODES.get(exc.status_code, "request_malformed")
        detail = str(exc.detail)
        if exc.status_code == HTTPStatus.NOT_FOUND:
            detail = f"There is nothing at {request.url.path}; see /docs."
        response = problem(exc.status_code, code, detail, request_id_of(request))
        response.headers.update(exc.headers or {})
        if exc.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            response.headers["Allow"] = ", ".join(sorted(_methods_of(request)) or ["GET", "HEAD"])
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


def _methods_of(request: Request) -> set[str]:
    """The methods of a path: of several routes with the same path the framework names those of one."""
    return {
        method
        for method in ("DELETE", "GET", "HEAD", "PATCH", "POST", "PUT")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    }


def _parameter_error(error: ErrorDetails) -> ParameterError:
    # A location begins with where the parameter stands: body, query or path.
    first, *rest = error["loc"]
    return ParameterError(
        parameter=".".join(str(part) for part in rest) or str(first),
        message=error["msg"].removeprefix("Value error, "),
    )
