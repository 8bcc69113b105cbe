"""What all our errors are."""

from typing import ClassVar


class GemelloError(Exception):
    """Base of all our errors."""

    code: ClassVar[str] = "error"
    title: ClassVar[str] = "Something went wrong"

    @property
    def detail(self) -> str:
        """What callers of the service are told: the sentence, but for what is the operator's alone."""
        return str(self)
