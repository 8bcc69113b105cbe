"""The cost of an image whose header is not read here, but in a process that can be killed."""

import math
import struct
from dataclasses import dataclass
from typing import Any

from app.images.cost import Cost
from app.images.limits import ImageLimits
from app.images.opened import OpenedImage
from app.images.prepare import Wanted

# Memory, seconds, holds the lock, is bound by the header.
_PACKED = struct.Struct(">Qd??")


@dataclass(frozen=True, slots=True)
class Estimate:
    """Something to want of an image: what it costs to make something else of it."""

    of: Wanted[Any]

    def open(self, data: bytes, limits: ImageLimits) -> OpenedImage:
        return self.of.open(data, limits)

    def cost(self, opened: OpenedImage) -> Cost:
        return self.of.cost(opened)

    def make(self, opened: OpenedImage) -> Cost:
        return self.of.cost(opened)

    def pack(self, made: Cost) -> bytes:
        return _PACKED.pack(made.memory, made.seconds, made.holds_lock, made.binding)

    def unpack(self, packed: bytes) -> Cost:
        if len(packed) != _PACKED.size:
            raise ValueError(f"{len(packed)} bytes are no cost")
        cost = Cost(*_PACKED.unpack(packed))
        if not 0 <= cost.seconds < math.inf:
            raise ValueError(f"{cost.seconds} is not a time")
        return cost
