"""Small real pictures, drawn and encoded by Pillow."""

import io
from typing import Any

import numpy as np
from PIL import Image


def photo(seed: int = 0, width: int = 96, height: int = 64) -> Image.Image:
    """A smooth coloured picture, different for each seed, with no symmetry."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 5, 3)).astype(np.uint8)
    return Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)


def encode(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def picture(seed: int = 0, kind: str = "PNG", **options: Any) -> bytes:
    return encode(photo(seed), kind, **options)


def difference(one: np.ndarray, other: np.ndarray) -> float:
    """Mean absolute difference, in grey levels."""
    return float(np.abs(one.astype(np.int16) - other.astype(np.int16)).mean())
