"""A part of a picture."""

from dataclasses import dataclass

from app.errors import ParameterInvalid


@dataclass(frozen=True, slots=True)
class Box:
    """A part of an upright picture: left, top, right, bottom, as shares of its sides in 0–1."""

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not (0 <= self.left < self.right <= 1 and 0 <= self.top < self.bottom <= 1):
            raise ParameterInvalid("box", "expected x1,y1,x2,y2 in 0–1 with x1 < x2 and y1 < y2")

    def pixels(self, width: int, height: int) -> tuple[int, int, int, int]:
        """Return the same in whole pixels, at least one wide and high."""
        left = min(round(self.left * width), width - 1)
        top = min(round(self.top * height), height - 1)
        right, bottom = round(self.right * width), round(self.bottom * height)
        return left, top, max(right, left + 1), max(bottom, top + 1)
