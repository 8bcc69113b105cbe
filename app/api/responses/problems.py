"""What went wrong: with a request, with one file of it, with a parameter."""

from typing import Self

from pydantic import BaseModel, Field

from app.api.errors import status_of
from app.errors import GemelloError


class Problem(BaseModel):
    """RFC 9457; `code` is stable, `detail` is for people."""

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str
    code: str
    request_id: str


class ItemError(BaseModel):
    code: str = Field(examples=["image_undecodable"])
    detail: str
    status: int = Field(description="The HTTP status this file would have had alone.")

    @classmethod
    def of(cls, error: GemelloError) -> Self:
        """Describe why a file was refused."""
        return cls(code=error.code, detail=error.detail, status=status_of(error))


class ParameterError(BaseModel):
    """An extension member of a problem: a parameter that was refused."""

    parameter: str
    message: str
