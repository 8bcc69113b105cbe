"""What is done to pixels before a network sees them: the mean and deviation it was trained with."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import ParameterInvalid

Channels = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scaling:
    """(pixel / 255 − ``mean``) / ``std``, for each of red, green and blue."""

    mean: Channels
    std: Channels


def scaling(mean: Sequence[float], std: Sequence[float]) -> Scaling:
    """Return the scaling by ``mean`` and ``std``, each one number or three.

    They count pixels as 0–1, as ``image_mean`` and ``image_std`` of Hugging Face, timm and torchvision do, or, where
    one of the numbers is above 1, as 0–255. Raises ``ParameterInvalid`` where they fit neither.
    """
    means, deviations = _three("mean", mean), _three("std", std)
    whole = 255.0 if max(*means, *deviations) > 1 else 1.0
    if min(means) < 0 or max(means) > whole:
        raise ParameterInvalid("mean", f"expected 0–1 or 0–255, got {_shown(means)}")
    if min(deviations) <= 0 or max(deviations) > whole:
        raise ParameterInvalid("std", f"expected above 0, up to 1 or 255, got {_shown(deviations)}")
    # Either of the two would shift or stretch by 255 times what was meant.
    mixed = whole > 1 and (min(deviations) < 1 or 0 < max(means) <= 1)
    if mixed:
        raise ParameterInvalid(
            "mean",
            f"{_shown(means)} and std {_shown(deviations)} count pixels on two scales; give both "
            "for 0–1, or both for 0–255",
        )
    return Scaling(_divided(means, whole), _divided(deviations, whole))


def _three(name: str, numbers: Sequence[float]) -> Channels:
    if len(numbers) not in {1, 3}:
        raise ParameterInvalid(name, f"expected one number or three, got {len(numbers)}")
    if not all(math.isfinite(number) for number in numbers):
        raise ParameterInvalid(name, f"{_shown(numbers)} are not all finite")
    red, green, blue = numbers if len(numbers) == 3 else [numbers[0]] * 3
    return float(red), float(green), float(blue)


def _divided(numbers: Channels, whole: float) -> Channels:
    red, green, blue = numbers
    return red / whole, green / whole, blue / whole


def _shown(numbers: Sequence[float]) -> str:
    return ",".join(f"{number:g}" for number in numbers)
