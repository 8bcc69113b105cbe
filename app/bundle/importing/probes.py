"""Pictures that any encoder of images must tell apart, and what it makes of them."""

import time
from itertools import combinations

import numpy as np

from app.bundle.encoder import Encoder
from app.errors import ModelFileRefused, RuntimeUnavailable
from app.images.prepare import Pixels

# Tiles along a side of each picture.
_TILES = (2, 3, 4, 5, 6, 8, 12, 16)
# Between unit vectors: what rounding makes of one picture, and the least between two.
_SAME, _APART = 1e-3, 1e-4
_TIMED = 3


def probe_images(size: int) -> Pixels:
    """Return mosaics of coloured tiles, uint8 [8, size, size, 3]: always the same, each another."""
    pictures = []
    for seed, tiles in enumerate(_TILES):
        colours = np.random.default_rng(seed).integers(0, 256, (tiles, tiles, 3)).astype(np.uint8)
        at = np.arange(size) * tiles // size
        pictures.append(colours[at][:, at])
    return np.stack(pictures)


def probe(encoder: Encoder, file: str) -> float:
    """Embed the pictures one by one and at once; return the milliseconds for one of a batch.

    A vector must be finite, the same alone and in a batch, and another for another picture. Raises
    ``ModelFileRefused``.
    """
    images = probe_images(encoder.input_size)
    try:
        singles = np.concatenate([encoder.embed(image[None]) for image in images])
    except RuntimeUnavailable as exc:
        raise ModelFileRefused(file, f"OpenVINO cannot run it ({exc.reason})") from exc
    except ValueError as exc:
        raise ModelFileRefused(file, f"embedding a test picture failed, because {exc}") from exc
    try:
        batch = encoder.embed(images)
    except (RuntimeUnavailable, ValueError) as exc:
        raise ModelFileRefused(file, "it takes no batch of images, though it says so") from exc
    if np.abs(batch - singles).max() > _SAME:
        raise ModelFileRefused(
            file,
            "an image's vector depends on the images beside it in a batch, so that searches would, too",
        )
    if any(np.abs(one - other).max() < _APART for one, other in combinations(singles, 2)):
        raise ModelFileRefused(
            file,
            "different test pictures get the same vector; its weights may be missing, its output may "
            "not be the embedding, or --mean and --std may be another model's",
        )
    start = time.perf_counter()
    for _ in range(_TIMED):
        encoder.embed(images)
    return 1000 * (time.perf_counter() - start) / _TIMED / len(images)
