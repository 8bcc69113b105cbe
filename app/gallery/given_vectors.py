"""Vectors that come with images: taken over, but for a sample that is compared with the model's own."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from app.bundle.encoder import Vectors
from app.errors import ImageError, ParameterInvalid
from app.gallery.new_image import NewImage
from app.inference.embedder import Embedded
from app.inference.served_model import ServedModel

# Other precisions and decoders move a vector by less; those of different pictures are 1 apart and more.
_SAME = 0.25


@dataclass(frozen=True, slots=True)
class GivenVectors:
    """Vectors float32 [D] by the index of their images: those to take over, and one to compare."""

    trusted: Mapping[int, Vectors]
    sample: tuple[int, Vectors] | None

    @classmethod
    def of(cls, model: ServedModel, images: Sequence[NewImage]) -> Self:
        """Return the vectors of those images to which ``model`` gave one; nobody can foresee the sample.

        Raises ``ParameterInvalid`` for one of another length.
        """
        given = {
            index: new.vector
            for index, new in enumerate(images)
            if new.vector is not None and new.model_id == model.id
        }
        dimension = model.encoder.dimension
        if any(vector.shape != (dimension,) for vector in given.values()):
            raise ParameterInvalid("embeddings", f"expected {dimension} numbers for each image")
        if not given:
            return cls({}, None)
        sampled = secrets.choice(list(given))
        vector = given.pop(sampled)
        return cls(given, (sampled, vector))

    def check(self, made: Sequence[Embedded | ImageError]) -> None:
        """Compare the sample with what the model made. Raises ``ParameterInvalid`` when it is another."""
        if self.sample is None:
            return
        index, vector = self.sample
        image = made[index]
        if isinstance(image, Embedded) and np.linalg.norm(vector - image.vectors[0]) > _SAME:
            raise ParameterInvalid(
                "embeddings",
                "one is not what the model makes of its image; leave them out, and they are made here",
            )
