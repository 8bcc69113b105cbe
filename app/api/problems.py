"""The errors that a route documents."""

from http import HTTPStatus
from typing import Any

from app.api.errors import MEDIA_TYPE
from app.api.responses import Problem


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI ``responses`` for these statuses, all of one shape."""
    reference = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {
            "description": HTTPStatus(status).phrase,
            "content": {MEDIA_TYPE: {"schema": reference}},
        }
        for status in sorted({*statuses, 500})
    }
