"""The tags of a TIFF, counted before a decoder reads what they lead to."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from app.errors import ImageTooLarge, ImageUndecodable

# A program writes some dozen tags, and strips of a row or more.
_MOST_TAGS, _MOST_VALUES = 1_000, 50_000
_STRIPS_AND_TILES, _THEIR_LENGTHS = (273, 324), (279, 325)
# Each value of these types becomes an object; text and bytes stay what they are.
_NUMBERS = frozenset({3, 4, 5, 8, 9, 10, 11, 12, 13, 16, 17, 18})
# The types that lengths come in, as ``struct`` has them.
_WHOLE = {1: "B", 3: "H", 4: "I", 6: "B", 8: "H", 9: "I", 13: "I", 16: "Q", 17: "Q", 18: "Q"}


@dataclass(frozen=True, slots=True)
class _Tag:
    number: int
    type: int
    count: int
    place: int
    """Of its values, or of where they are."""


@dataclass(frozen=True, slots=True)
class _Layout:
    order: str
    big: bool
    """Whether offsets have eight bytes."""

    def tags(self, data: bytes) -> Iterator[_Tag]:
        """Each tag of the first picture. Raises ``struct.error`` at the end of what breaks off."""
        order = self.order
        (position,) = struct.unpack_from(order + ("8xQ" if self.big else "4xI"), data)
        (tags,) = struct.unpack_from(order + ("Q" if self.big else "H"), data, position)
        if tags > _MOST_TAGS:
            raise ImageTooLarge("tags", tags, _MOST_TAGS)
        entry, first, length, values = ("HHQ", 8, 20, 12) if self.big else ("HHI", 2, 12, 8)
        for place in range(position + first, position + first + tags * length, length):
            number, kind, count = struct.unpack_from(order + entry, data, place)
            yield _Tag(number, kind, count, place + values)

    def total(self, data: bytes, tag: _Tag) -> int:
        """The sum of a tag's values."""
        form = f"{self.order}{tag.count}{_WHOLE[tag.type]}"
        place, offset = tag.place, "Q" if self.big else "I"
        if struct.calcsize(form) > struct.calcsize(f"<{offset}"):
            (place,) = struct.unpack_from(self.order + offset, data, place)
        return sum(struct.unpack_from(form, data, place))


def check_tags(data: bytes) -> None:
    """Hold the tags of a TIFF to what is in it, as far as they can be read.

    Raises ``ImageTooLarge`` for more tags, strips or values than any program writes, and ``ImageUndecodable``
    when its strips together are longer than the file: each is unpacked, though all be the same.
    """
    order = "<" if data.startswith(b"II") else ">"
    # Pillow looks for the version in the third byte, libtiff where it is.
    for big in {byte == 43 for byte in data[2:4]}:
        with suppress(struct.error):
            _check(data, _Layout(order, big))


def _check(data: bytes, layout: _Layout) -> None:
    strips = 0
    for tag in layout.tags(data):
        if tag.number in (*_STRIPS_AND_TILES, *_THEIR_LENGTHS) and tag.count > _MOST_VALUES:
            raise ImageTooLarge("strips", tag.count, _MOST_VALUES)
        if tag.type in _NUMBERS and tag.count > _MOST_VALUES:
            raise ImageTooLarge(f"values in its tag {tag.number}", tag.count, _MOST_VALUES)
        if tag.number in _THEIR_LENGTHS and tag.type in _WHOLE:
            strips += layout.total(data, tag)
        if strips > len(data):
            raise ImageUndecodable("its strips together are longer than the file")
