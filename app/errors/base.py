"""What all our errors are."""

from typing import ClassVar


class GemelloError(Exception):
    """Base of all our errors."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"
