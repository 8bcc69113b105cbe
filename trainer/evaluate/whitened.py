"""An encoder whose vectors are partially whitened: the best that is known to do without labels."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.bundle.encoder import Encoder, Vectors
from app.bundle.linear_map import LinearMap
from app.bundle.whitening import fit_whitening
from app.images.prepare import Pixels
from app.images.square import Resize
from trainer.evaluate.embedding import embed_files

# Axes that are kept, and images that they are fitted on; more of either change little.
AXES, FITTED_ON = 512, 2000


class Whitened:
    """Maps what ``encoder`` gives by ``linear``: unit vectors again, [N, D]."""

    def __init__(self, encoder: Encoder, linear: LinearMap) -> None:
        self._encoder, self._linear = encoder, linear
        self.dimension = int(linear.matrix.shape[1])
        self.input_size = encoder.input_size
        self.resize: Resize = encoder.resize
        numbers = linear.matrix.tobytes() + linear.offset.tobytes()
        self.model_id = hashlib.sha256(encoder.model_id.encode() + numbers).hexdigest()

    def embed(self, images: Pixels) -> Vectors:
        return self._linear(self._encoder.embed(images))


def whitened_on(encoder: Encoder, paths: Sequence[Path]) -> Encoder:
    """Return ``encoder`` whitened on the files of ``paths`` that decode, of 2,000 at most.

    A single vector has no spread to whiten: there ``encoder`` itself is returned.
    """
    chosen = [paths[index] for index in _spread_out(len(paths))]
    linear = whitening_of(embed_files(encoder, chosen).vectors)
    return encoder if linear is None else Whitened(encoder, linear)


def whitening_of(vectors: Vectors) -> LinearMap | None:
    """Return the map that whitens vectors like ``vectors`` [N, F], fitted on 2,000 of them at most.

    None where there are not two.
    """
    if len(vectors) < 2:
        return None
    return fit_whitening(vectors[_spread_out(len(vectors))], min(AXES, vectors.shape[1]))


def _spread_out(count: int) -> list[int]:
    """Up to 2,000 of ``count`` indices, evenly spread: neighbours are of one class."""
    few = np.linspace(0, count - 1, min(count, FITTED_ON)).astype(int)
    found: list[int] = np.unique(few).tolist()
    return found
