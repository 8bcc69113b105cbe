"""Vectors that come with images, from a gallery that was moved: taken over, but not on trust."""

from collections.abc import Sequence

import numpy as np

from app.bundle.encoder import Vectors
from app.errors import ImageError, ParameterInvalid
from app.gallery.new_image import NewImage
from app.inference.embedder import Embedded
from app.inference.served_model import ServedModel

# Other precisions and decoders move a vector by less; those of different pictures are 1 apart and more.
_SAME_VECTOR = 0.25


def given_vectors(model: ServedModel, images: Sequence[NewImage]) -> dict[int, Vectors]:
    """Return the vectors float32 [D] that came with images, by index, where ``model`` made them.

    Raises ``ParameterInvalid``.
    """
    dimension = model.encoder.dimension
    given = {
        index: new.vector
        for index, new in enumerate(images)
        if new.vector is not None and new.model_id == model.id
    }
    if any(vector.shape != (dimension,) for vector in given.values()):
        raise ParameterInvalid("embeddings", f"expected {dimension} numbers for each image")
    return given


def check_vector(given: Vectors, made: Embedded | ImageError) -> None:
    """Raise ``ParameterInvalid`` when a vector that came with an image is far from the image's own."""
    if isinstance(made, Embedded) and np.linalg.norm(given - made.vectors[0]) > _SAME_VECTOR:
        raise ParameterInvalid(
            "embeddings",
            "one is not what the model makes of its image; leave them out, and they are made here",
        )
