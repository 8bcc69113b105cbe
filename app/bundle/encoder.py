"""The Encoder protocol: images at model size in, embeddings out; and what every runtime shares."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt

from app.bundle.manifest import Manifest
from app.bundle.model_store import Bundle
from app.images.prepare import Pixels
from app.images.square import Resize

Vectors = npt.NDArray[np.float32]
Runtime = Literal["openvino", "tensorflow"]
Precision = Literal["float32", "bfloat16"]


class Encoder(Protocol):
    """Turns images into vectors whose Euclidean distance says how alike they are.

    Batch in, batch out; a row does not depend on the rows beside it. Safe to call from threads.
    """

    @property
    def dimension(self) -> int: ...

    @property
    def input_size(self) -> int: ...

    @property
    def resize(self) -> Resize:
        """How a picture that is not square becomes one."""
        ...

    @property
    def model_id(self) -> str: ...

    def embed(self, images: Pixels) -> Vectors:
        """Embed uint8 [N, input_size, input_size, 3] RGB as float32 [N, dimension]; N may be 0."""
        ...


class BundleEncoder(ABC):
    """An encoder of a bundle: checks what goes in and what comes out, whatever runs the graph."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest

    @property
    def dimension(self) -> int:
        return self._manifest.dimension

    @property
    def input_size(self) -> int:
        return self._manifest.input_size

    @property
    def resize(self) -> Resize:
        return self._manifest.preprocessing.resize

    @property
    def model_id(self) -> str:
        return self._manifest.model_id

    def embed(self, images: Pixels) -> Vectors:
        """Embed uint8 [N, input_size, input_size, 3] RGB as float32 [N, dimension]; N may be 0.

        Raises ``ValueError`` for other images, or when the graph's output is not what it should be.
        """
        check_images(images, self.input_size)
        if len(images) == 0:
            return np.empty((0, self.dimension), np.float32)
        return check_embeddings(self._run(images), len(images), self._manifest)

    @abstractmethod
    def _run(self, images: Pixels) -> Vectors:
        """Run the graph on at least one image."""


def check_images(images: Pixels, input_size: int) -> None:
    """Refuse what is not uint8 [N, size, size, 3]. Raises ``ValueError``."""
    expected = (input_size, input_size, 3)
    if images.dtype != np.uint8 or images.shape[1:] != expected or images.ndim != 4:
        raise ValueError(
            f"expected uint8 [N, {input_size}, {input_size}, 3], got {images.dtype} {images.shape}"
        )


def graph_path(bundle: Bundle, runtime: Runtime) -> Path:
    """Return where a bundle keeps the graph that ``runtime`` runs."""
    return bundle.path / ("openvino/model.xml" if runtime == "openvino" else "tensorflow")


def check_embeddings(vectors: Vectors, count: int, manifest: Manifest) -> Vectors:
    """Refuse a graph whose output is not finite float32 [count, dimension]. Raises ``ValueError``."""
    if vectors.shape != (count, manifest.dimension):
        raise ValueError(f"the graph gave {vectors.shape}, not {(count, manifest.dimension)}")
    if not np.isfinite(vectors).all():
        raise ValueError("the graph gave a value that is not finite")
    return vectors
