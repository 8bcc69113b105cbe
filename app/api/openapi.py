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
            for operations in schema["paths"].values():
                for operation in operations.values():
                    _drop_impossible(operation["responses"])
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _drop_impossible(responses: dict[str, Any]) -> None:
    """Drop the 422 that FastAPI adds wherever there is a parameter: any text may be a path's."""
    described = responses.get("422", {}).get("content", {}).get("application/json", {})
    if described.get("schema", {}).get("$ref", "").endswith("/HTTPValidationError"):
        del responses["422"]
