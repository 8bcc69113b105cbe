"""Searching a gallery: like these images, unlike those, among the ones that a filter allows."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Literal

import numpy as np

from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.errors import ImageError, ImageNotFound, ParameterInvalid
from app.gallery.near_duplicates import duplicate_groups
from app.gallery.ranking import Narrowed, rank
from app.images.box import Box
from app.index.vector_index import Selection
from app.inference.decode_pool import DecodePool
from app.inference.served_model import Active, Live
from app.storage.filters import Filter, Scalar
from app.storage.local.blobs import BlobStore
from app.storage.local.catalog import Catalog, ImageRecord
from app.telemetry.metrics import Metrics

Combine = Literal["best", "mean"]
# Filters whose images are remembered until the gallery changes; each takes memory for every image.
_REMEMBERED = 4


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
    """Which part of the ranking is wanted, and how near it must be; ``embeddings`` asks for vectors."""

    top_k: int = 10
    offset: int = 0
    max_distance: float | None = None
    min_score: float | None = None
    filter: Filter | None = None
    group_by: str | None = None
    embeddings: bool = False


@dataclass(frozen=True, slots=True)
class Embedded:
    """An upright image's size, and its vectors float32 [1, D]; with its mirror image's, [2, D]."""

    width: int
    height: int
    vectors: Vectors
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A search result: the image and its Euclidean distance from the query; rank from 1."""

    rank: int
    distance: float
    image: ImageRecord
    group: Scalar | None = None
    vector: Vectors | None = None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of the ranking; ``next_offset`` is None on the last one.

    ``total`` counts the images that were searched, those that the filter allows; ``nearest`` is
    the distance of the first of the ranking, None when it is empty; ``model`` made all vectors.
    """

    model: Manifest
    queries: list[Embedded]
    matches: list[Match]
    total: int
    offset: int
    next_offset: int | None
    nearest: float | None


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The vectors of images, or why there are none, and the model that made them."""

    model: Manifest
    images: list[Embedded | ImageError]

    def good(self) -> list[Embedded]:
        """All of them. Raises the first ``ImageError``."""
        for image in self.images:
            if isinstance(image, ImageError):
                raise image
        return [image for image in self.images if isinstance(image, Embedded)]


class Searcher:
    """Answers searches from the index in memory and the records in the catalog."""

    def __init__(
        self,
        catalog: Catalog,
        blobs: BlobStore,
        active: Active,
        decoder: DecodePool,
        metrics: Metrics,
    ) -> None:
        self._catalog, self._blobs, self._active = catalog, blobs, active
        self._decoder, self._metrics = decoder, metrics
        self._allowed = lru_cache(_REMEMBERED)(self._matching)
        self._grouped: tuple[tuple[object, ...], list[list[str]]] = ((), [])
        # Two at once would each take the whole machine for the same answer.
        self._grouping = threading.Lock()

    def search(self, query: Query, options: Options) -> SearchPage:
        """One page.

        Raises an ``ImageError``, ``ImageNotFound``, ``ParameterInvalid`` or ``Overloaded``.
        """
        with self._active.use() as live:
            images = self._embed(live, [*query.like, *query.unlike], query.box, query.flip).good()
            like, unlike = images[: len(query.like)], images[len(query.like) :]
            named = frozenset(s for s in (*query.like, *query.unlike) if isinstance(s, str))
            vectors = np.stack([image.vectors for image in like])
            if query.combine == "mean":
                vectors = _mean(vectors)[None]
            flat = vectors.reshape(-1, vectors.shape[-1])
            with self._metrics.stage("search"):
                return self._page(live, like, flat, unlike, named, options)

    def search_each(
        self, images: Sequence[bytes], options: Options, *, flip: bool = False
    ) -> tuple[Manifest, list[SearchPage | ImageError]]:
        """A page for each image, or why there is none; and the model. Raises as ``search`` does."""
        with self._active.use() as live:
            found = self._embed(live, images, None, flip).images
            with self._metrics.stage("search"):
                pages = [
                    image
                    if isinstance(image, ImageError)
                    else self._page(live, [image], image.vectors, [], frozenset(), options)
                    for image in found
                ]
            return live.manifest, pages

    def embed(self, images: Sequence[bytes | str]) -> Embeddings:
        """The vectors of images, each given by its bytes or by the id of a stored one.

        Raises ``ImageNotFound`` for an unknown id, ``Overloaded`` when too busy.
        """
        with self._active.use() as live:
            return self._embed(live, images, None, flip=False)

    def vectors(self, ids: Sequence[str]) -> tuple[Manifest, dict[str, Vectors]]:
        """The vector of each of those ids that can be searched, and the model that made them."""
        with self._active.use() as live:
            return live.manifest, live.index.get(ids)

    def duplicates(self, max_distance: float) -> tuple[Manifest, list[list[str]]]:
        """Groups of near-duplicates by id, and the model; remembered until the gallery changes."""
        with self._active.use() as live, self._grouping:
            # By the model's id: to remember the model itself would keep its vectors in memory.
            state = (live.encoder.model_id, max_distance, self._catalog.generation)
            if self._grouped[0] != state:
                self._grouped = (state, duplicate_groups(live.index, max_distance))
            return live.manifest, self._grouped[1]

    def _embed(
        self, live: Live, images: Sequence[bytes | str], box: Box | None, flip: bool
    ) -> Embeddings:
        records = self._records([image for image in images if isinstance(image, str)])
        # A stored image's vector is at hand, unless another view of it is wanted.
        known = {} if box or flip else live.index.get(list(records))
        found: dict[int, Embedded | ImageError] = {}
        unseen: dict[int, bytes] = {}
        for place, image in enumerate(images):
            if isinstance(image, bytes):
                unseen[place] = image
            elif image in known:
                record = records[image]
                found[place] = Embedded(record.width, record.height, known[image][None])
            else:
                unseen[place] = self._blobs.get(records[image].sha256)
        found |= zip(unseen, self._look(live, list(unseen.values()), box, flip), strict=True)
        return Embeddings(live.manifest, [found[place] for place in range(len(images))])

    def _records(self, ids: Sequence[str]) -> dict[str, ImageRecord]:
        records = self._catalog.get(ids)
        for image_id in ids:
            if image_id not in records:
                raise ImageNotFound(image_id)
        return records

    def _look(
        self, live: Live, images: Sequence[bytes], box: Box | None, flip: bool
    ) -> list[Embedded | ImageError]:
        with self._metrics.stage("decode"):
            prepared = self._decoder.prepare(images, live.encoder.input_size, box)
        good = [image for image in prepared if not isinstance(image, ImageError)]
        if not good:
            return [image for image in prepared if isinstance(image, ImageError)]
        pixels = np.stack([image.pixels for image in good])
        views = np.stack([pixels, pixels[:, :, ::-1]], axis=1) if flip else pixels[:, None]
        with self._metrics.stage("embed"):
            flat = live.batcher.embed(views.reshape(-1, *pixels.shape[1:]))
        vectors = iter(flat.reshape(len(good), views.shape[1], -1))
        return [
            image
            if isinstance(image, ImageError)
            else Embedded(image.width, image.height, next(vectors))
            for image in prepared
        ]

    def _page(
        self,
        live: Live,
        images: list[Embedded],
        queries: Vectors,
        unlike: list[Embedded],
        named: frozenset[str],
        options: Options,
    ) -> SearchPage:
        key, wanted = options.group_by, options.filter
        end = options.offset + options.top_k
        within = _within(live.manifest, options)
        while True:
            allowed = self._allowed(wanted, self._catalog.generation) if wanted else None
            narrowed = Narrowed(
                allowed=allowed,
                without=named,
                within=within,
                unlike=np.concatenate([image.vectors for image in unlike]) if unlike else None,
                groups=partial(self._catalog.values_of, key) if key else None,
            )
            # One more than is shown tells whether there is a next page.
            rows = rank(live.index, queries, end + 1, narrowed)
            shown = rows[options.offset : end]
            records = self._catalog.get([row.id for row in shown])
            vectors = live.index.get([row.id for row in shown]) if options.embeddings else {}
            # An image removed since the index answered: ask again, so that no page comes short.
            if len(records) == len(shown):
                break
        total = len(live.index) if allowed is None else len(allowed.ids)
        return SearchPage(
            model=live.manifest,
            queries=images,
            matches=[
                Match(place, row.distance, records[row.id], row.group, vectors.get(row.id))
                for place, row in enumerate(shown, start=options.offset + 1)
            ],
            total=total,
            offset=options.offset,
            next_offset=end if len(rows) > end else None,
            nearest=rows[0].distance if rows else None,
        )

    def _matching(self, wanted: Filter, generation: int) -> Selection:  # noqa: ARG002
        """What a filter allows; ``generation`` tells one state of the records from the next."""
        return Selection(self._catalog.matching(wanted))


def _within(model: Manifest, options: Options) -> Callable[[float], bool] | None:
    """Whether a distance is near enough; None when any is. Raises ``ParameterInvalid``."""
    limit, least, calibration = options.max_distance, options.min_score, model.calibration
    if least is not None and calibration is None:
        raise ParameterInvalid("min_score", "the model has no calibration, so there are no scores")
    if limit is None and least is None:
        return None

    def near(distance: float) -> bool:
        if limit is not None and distance > limit:
            return False
        return least is None or calibration is None or calibration.probability(distance) >= least

    return near


def _mean(vectors: Vectors) -> Vectors:
    """The mean over the images of float32 [N, views, D], as long as the vectors are on average.

    Between unit vectors only directions count, and a mean of them is shorter than they are.
    """
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    wanted = np.linalg.norm(vectors, axis=-1).mean(axis=0)[:, None]
    scaled: Vectors = (mean * (wanted / np.maximum(length, 1e-12))).astype(np.float32)
    return scaled
