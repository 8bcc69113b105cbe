"""The OpenAPI document: FastAPI's own, with our one error shape in place of its two."""

from typing import Any

from fastapi import FastAPI

from app.api.responses import Problem


def describe(app: FastAPI) -> None:
    """Let ``app.openapi()`` document ``Problem`` for every error, a 422 included."""
    generate = app.openapi

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = generate()
            schemas = schema["components"]["schemas"]
            schemas[Problem.__name__] = Problem.model_json_schema()
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]
