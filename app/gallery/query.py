"""What a search asks for, and what it answers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.errors import ImageError
from app.gallery.verdict import Source, Verdict
from app.images.box import Box
from app.inference.embedder import Embedded
from app.storage.filters import Filter, Scalar
from app.storage.records import ImageRecord

Combine = Literal["best", "mean"]


@dataclass(frozen=True, slots=True)
class Query:
    """What to search for: the bytes of images, or the ids of stored ones.

    Of several, ``best`` takes each result's distance from the nearest, ``mean`` its distance from
    their average. With ``flip`` mirror images count, too. What is nearer to one of ``unlike`` than
    to the query is left out, and so are the stored images named here. ``box`` is the part of each
    image to look at.
    """

    like: Sequence[bytes | str]
    unlike: Sequence[bytes | str] = ()
    combine: Combine = "best"
    box: Box | None = None
    flip: bool = False


@dataclass(frozen=True, slots=True)
class Options:
    """Which part of the ranking is wanted, and how near it must be; ``embeddings`` asks for vectors.

    ``match_false_alarms`` is the part of the queries without a match that may be told of one;
    None takes what the service is set to.
    """

    top_k: int = 10
    offset: int = 0
    max_distance: float | None = None
    min_score: float | None = None
    match_false_alarms: float | None = None
    filter: Filter | None = None
    group_by: str | None = None
    embeddings: bool = False


@dataclass(frozen=True, slots=True)
class Match:
    """A search result: the image and its Euclidean distance from the query; rank from 1.

    ``score`` is the probability of a match, ``match`` the verdict; None without a calibration.
    """

    rank: int
    distance: float
    image: ImageRecord
    score: float | None = None
    match: bool | None = None
    group: Scalar | None = None
    vector: Vectors | None = None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of the ranking; ``next_offset`` is None on the last one.

    ``total`` counts the images that were searched, those that the filter allows; ``match``
    says whether any of the first of the ranking or of the page is a match, None without a calibration;
    ``calibration`` says what by, and ``model`` made all vectors.
    """

    model: Manifest
    queries: list[Embedded]
    matches: list[Match]
    total: int
    offset: int
    next_offset: int | None
    match: bool | None
    calibration: Source | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """The Euclidean distance between two images, the model that saw them, and what judges it."""

    model: Manifest
    distance: float
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of images, or why there are none, and the model that made them."""

    model: Manifest
    images: list[Embedded | ImageError]


def all_embedded(images: Sequence[Embedded | ImageError]) -> list[Embedded]:
    """Return ``images``. Raises the first ``ImageError`` among them."""
    embedded = []
    for image in images:
        if isinstance(image, ImageError):
            raise image
        embedded.append(image)
    return embedded
