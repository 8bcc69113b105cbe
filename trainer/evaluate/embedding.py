"""Embeds files and cached images with the serving code, a batch at a time."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Encoder, Vectors
from app.errors import ImageError
from app.images.prepare import Pixels, prepare_file
from app.images.square import Resize
from trainer.data.cache import ImageCache
from trainer.data.cache_build import TRUSTED

Labels = npt.NDArray[np.object_]
_CHUNK = 32


@dataclass(frozen=True, slots=True)
class Labelled:
    """Embeddings float32 [N, D] and their labels, str [N]."""

    vectors: Vectors
    labels: Labels

    def subset(self, mask: npt.NDArray[np.bool_]) -> "Labelled":
        return Labelled(self.vectors[mask], self.labels[mask])


@dataclass(frozen=True, slots=True)
class Embedded:
    """``vectors`` [N, D] of ``paths``, and why each of ``bad`` is missing."""

    vectors: Vectors
    paths: list[Path]
    bad: dict[str, str]


def embed_files(
    encoder: Encoder, paths: Sequence[Path], advance: Callable[[int], None] = lambda _: None
) -> Embedded:
    """Embed every file that decodes; memory holds the vectors and one chunk of images."""
    vectors: list[Vectors] = []
    decoded: list[Path] = []
    bad: dict[str, str] = {}
    for chunk, results in _decoded(paths, encoder.input_size, encoder.resize):
        good = []
        for path, result in zip(chunk, results, strict=True):
            if isinstance(result, ImageError):
                bad[str(path)] = str(result)
            else:
                good.append(result)
                decoded.append(path)
        if good:
            vectors.append(encoder.embed(np.stack(good)))
        advance(len(chunk))
    empty = np.empty((0, encoder.dimension), np.float32)
    return Embedded(np.concatenate(vectors) if vectors else empty, decoded, bad)


def embed_cache(
    encoder: Encoder, cache: ImageCache, advance: Callable[[int], None] = lambda _: None
) -> Vectors:
    """Return embeddings float32 [N, D] of the N images of ``cache``, whose size is the encoder's."""
    vectors = [np.empty((0, encoder.dimension), np.float32)]
    for start in range(0, len(cache.records), _CHUNK):
        images = cache.images[start : start + _CHUNK]
        vectors.append(encoder.embed(images))
        advance(len(images))
    return np.concatenate(vectors)


def _decoded(
    paths: Sequence[Path], size: int, resize: Resize
) -> Iterator[tuple[Sequence[Path], list[Pixels | ImageError]]]:
    def decode(path: Path) -> Pixels | ImageError:
        try:
            return prepare_file(path, size, TRUSTED, resize).pixels
        except ImageError as exc:
            return exc

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(paths), _CHUNK):
            chunk = paths[start : start + _CHUNK]
            yield chunk, list(pool.map(decode, chunk))
