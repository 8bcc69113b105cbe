"""How fast encoders are."""

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from app.bundle.encoder import Encoder

_SINGLE, _BATCHES, _BATCH = 60, 8, 32


@dataclass(frozen=True, slots=True)
class Speed:
    """``single_ms``: median time of one image; ``images_per_s``: in batches of 32; on all cores."""

    single_ms: float
    images_per_s: float


def measure_speed(encoders: Sequence[Encoder]) -> list[Speed]:
    """Of each encoder, in turn, so that what else the machine does slows all of them alike."""
    rng = np.random.default_rng(0)
    images = [
        rng.integers(0, 256, (_BATCH, e.input_size, e.input_size, 3), np.uint8) for e in encoders
    ]
    single: list[list[float]] = [[] for _ in encoders]
    batch: list[list[float]] = [[] for _ in encoders]
    for times, count, rounds in ((single, 1, _SINGLE), (batch, _BATCH, _BATCHES)):
        # The first round of each shape is the runtime's preparation.
        for turn in range(rounds + 1):
            for place, encoder in enumerate(encoders):
                start = time.perf_counter()
                encoder.embed(images[place][:count])
                if turn:
                    times[place].append(time.perf_counter() - start)
    return [
        Speed(1000 * statistics.median(one), _BATCH / statistics.median(many))
        for one, many in zip(single, batch, strict=True)
    ]
