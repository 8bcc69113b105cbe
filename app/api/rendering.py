"""An answer as bytes, written where it was made: the event loop has other callers to answer."""

from fastapi import Response
from pydantic import BaseModel


def rendered(answer: BaseModel, status: int = 200) -> Response:
    """Return the response that carries ``answer``."""
    return Response(answer.model_dump_json(), status, media_type="application/json")
