"""What is found damaged among the stored images."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["database", "journal", "record", "vector", "image"]


@dataclass(frozen=True, slots=True)
class Damage:
    """Something stored that is not what was written: what kind of thing, which one, what is wrong.

    ``mended`` says that it has been made good, or that what it was made from is there to do so.
    """

    kind: Kind
    item: str
    problem: str
    mended: bool = False

    def __str__(self) -> str:
        outcome = " (mended)" if self.mended else ""
        return f"{self.kind} {self.item}: {self.problem}{outcome}"
