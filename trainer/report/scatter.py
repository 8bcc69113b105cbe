"""A 2-D map of embeddings with the images themselves as points."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.bundle.encoder import Vectors
from trainer.evaluate.measurement import Measurement
from trainer.report.theme import Theme
from trainer.report.thumbnails import Thumbnails

Positions = npt.NDArray[np.float64]

LIMIT = 400
_PER_CLASS = 6
_CANVAS, _THUMB = 1400, 52
_COMPONENTS = 50
# Points from which on several threads are faster than one.
_MANY = 500
# Fewer points have no neighbourhoods that t-SNE could keep.
_FEWEST = 10


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """What is drawn: N files, their labels, and their positions [N, 2] in 0–1."""

    paths: Sequence[Path]
    labels: Sequence[str]
    positions: Positions

    def __len__(self) -> int:
        return len(self.paths)


def points(measurement: Measurement, limit: int = LIMIT, seed: int = 0) -> Points:
    """Return whole classes drawn at random, up to six images of each, until there are ``limit``.

    Queries and gallery are drawn alike, each file once.
    """
    embedded = {
        path: (str(label), vector)
        for paths, labels, vectors in (
            (measurement.paths, measurement.labels, measurement.embeddings),
            (
                measurement.gallery_paths,
                measurement.gallery_labels,
                measurement.gallery_embeddings,
            ),
        )
        for path, label, vector in zip(paths, labels, vectors, strict=True)
    }
    paths = list(embedded)
    by_class: dict[str, list[Path]] = {}
    for index in np.random.default_rng(seed).permutation(len(paths)).tolist():
        members = by_class.setdefault(embedded[paths[index]][0], [])
        if len(members) < _PER_CLASS:
            members.append(paths[index])
    chosen = [path for members in by_class.values() for path in members][:limit]
    labels = [embedded[path][0] for path in chosen]
    return Points(chosen, labels, layout(np.stack([embedded[path][1] for path in chosen]), seed))


def layout(embeddings: Vectors, seed: int = 0) -> Positions:
    """Return positions [N, 2] in 0–1 of ``embeddings`` [N, D], neighbours near each other.

    PCA to 50 dimensions, then t-SNE (van der Maaten & Hinton, JMLR 9, 2008); PCA alone for fewer
    than ten points. Embeddings that are all the same lie in the middle.
    """
    vectors = embeddings.astype(np.float64)
    if len(vectors) < 2 or np.ptp(vectors, axis=0).max() < 1e-9:
        return np.full((len(vectors), 2), 0.5)
    components = min(_COMPONENTS, *vectors.shape)
    flat = PCA(components, random_state=seed).fit_transform(vectors)
    if len(flat) >= _FEWEST:
        tsne = TSNE(
            init="pca" if components > 1 else "random",
            perplexity=min(30.0, (len(flat) - 1) / 3),
            random_state=seed,
        )
        # With few points the threads would spend their time waiting for each other.
        with threadpool_limits(1 if len(flat) < _MANY else None):
            flat = tsne.fit_transform(flat)
    positions = np.zeros((len(flat), 2))
    positions[:, : min(2, flat.shape[1])] = flat[:, :2]
    extent = np.ptp(positions, axis=0)
    scaled: Positions = (positions - positions.min(axis=0)) / np.where(extent > 0, extent, 1)
    return scaled


def draw(drawn: Points, thumbnails: Thumbnails, theme: Theme) -> Image.Image:
    """Return a picture with each image at its point; a line joins it to the middle of its class."""
    canvas = Image.new("RGB", (_CANVAS, _CANVAS), theme.paper)
    pen = ImageDraw.Draw(canvas)
    at = _THUMB / 2 + drawn.positions * (_CANVAS - _THUMB)
    labels = np.array(drawn.labels)
    for label in np.unique(labels):
        members = at[labels == label]
        centre = members.mean(axis=0)
        for point in members:
            pen.line([*point, *centre], fill=theme.quiet, width=2)
    for path, (x, y) in zip(drawn.paths, at, strict=True):
        image = thumbnails.image(path)
        if image is None:
            continue
        image.thumbnail((_THUMB - 4, _THUMB - 4))
        width, height = image.size
        left, top = round(x - width / 2), round(y - height / 2)
        pen.rectangle([left - 1, top - 1, left + width, top + height], outline=theme.quiet)
        canvas.paste(image, (left, top))
    return canvas


def webp(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "WEBP", quality=80, method=4)
    return out.getvalue()


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()
