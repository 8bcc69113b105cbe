"""Searching a gallery: like these images, unlike those, among the ones that a filter allows."""

import threading
from collections.abc import Callable, Sequence

import numpy as np

from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.errors import ImageError, ParameterInvalid
from app.gallery.calibration import Calibrator
from app.gallery.near_duplicates import duplicate_groups
from app.gallery.query import (
    Comparison,
    Embeddings,
    Match,
    Options,
    Query,
    SearchPage,
    all_embedded,
)
from app.gallery.ranking import Constraints, rank
from app.gallery.verdict import Verdict
from app.inference.embedder import Embedded, Embedder
from app.inference.served_model import ActiveModel, ServedModel
from app.storage.gallery_store import GalleryStore
from app.telemetry.metrics import Metrics


class Searcher:
    """Answers searches from the store's order of distance and its records."""

    def __init__(
        self,
        *,
        store: GalleryStore,
        active: ActiveModel,
        embedder: Embedder,
        calibrator: Calibrator,
        metrics: Metrics,
    ) -> None:
        self._store, self._active = store, active
        self._embedder, self._metrics = embedder, metrics
        self._calibrator = calibrator
        self._grouped: tuple[tuple[object, ...], list[list[str]]] = ((), [])
        # Two at once would each take the whole machine for the same answer.
        self._grouping = threading.Lock()

    def search(self, query: Query, options: Options) -> SearchPage:
        """Return one page of the ranking.

        Raises an ``ImageError``, ``ImageNotFound``, ``ParameterInvalid`` or ``Overloaded``.
        """
        with self._active.use() as model:
            images = all_embedded(
                self._embedder.embed(
                    model, [*query.like, *query.unlike], box=query.box, flip=query.flip
                )
            )
            like, unlike = images[: len(query.like)], images[len(query.like) :]
            named = frozenset(s for s in (*query.like, *query.unlike) if isinstance(s, str))
            vectors = np.stack([image.vectors for image in like])
            if query.combine == "mean":
                vectors = _mean(vectors)[None]
            flat = vectors.reshape(-1, vectors.shape[-1])
            with self._metrics.stage("search"):
                return self._page(model, like, flat, unlike, named, options)

    def search_each(
        self, images: Sequence[bytes], options: Options, *, flip: bool = False
    ) -> tuple[Manifest, list[SearchPage | ImageError]]:
        """Return a page for each image, or why there is none; and the model. Raises as ``search``."""
        with self._active.use() as model:
            embedded = self._embedder.embed_bytes(model, images, flip=flip)
            with self._metrics.stage("search"):
                pages = [
                    image
                    if isinstance(image, ImageError)
                    else self._page(model, [image], image.vectors, [], frozenset(), options)
                    for image in embedded
                ]
            return model.manifest, pages

    def embed(self, images: Sequence[bytes | str]) -> Embeddings:
        """Return the vectors of images, each given by its bytes or by the id of a stored one.

        Raises ``ImageNotFound`` for an unknown id, ``Overloaded`` when too busy.
        """
        with self._active.use() as model:
            return Embeddings(model.manifest, self._embedder.embed(model, images))

    def compare(
        self, images: Sequence[bytes | str], false_alarms: float | None = None
    ) -> Comparison:
        """Return how far two images are apart, and what that means. Raises as ``embed``."""
        with self._active.use() as model:
            first, second = (
                image.vectors[0].astype(np.float64)
                for image in all_embedded(self._embedder.embed(model, images))
            )
            return Comparison(
                model.manifest,
                float(np.linalg.norm(first - second)),
                self._calibrator.verdict(model, 1, false_alarms),
            )

    def vectors(self, ids: Sequence[str]) -> tuple[Manifest, dict[str, Vectors]]:
        """Return the vector of each of those ids that can be searched, and the model that made them."""
        with self._active.use() as model:
            return model.manifest, self._store.vectors(model.id, ids)

    def duplicates(self, max_distance: float) -> tuple[Manifest, list[list[str]]]:
        """Return groups of near-duplicates by id, and the model; remembered until the gallery changes."""
        with self._active.use() as model, self._grouping:
            # By the model's id: to remember the model itself would keep it in memory.
            state = (model.id, max_distance, self._store.generation)
            if self._grouped[0] != state:
                self._grouped = (state, duplicate_groups(self._store, model.id, max_distance))
            return model.manifest, self._grouped[1]

    def _page(
        self,
        model: ServedModel,
        images: list[Embedded],
        queries: Vectors,
        unlike: list[Embedded],
        named: frozenset[str],
        options: Options,
    ) -> SearchPage:
        end = options.offset + options.top_k
        total = (
            self._store.count(options.filter)
            if options.filter
            else self._store.searchable(model.id)
        )
        # Each view of a query has its own chance to come near an image that does not match.
        verdict = self._calibrator.verdict(model, total * len(queries), options.match_false_alarms)
        constraints = Constraints(
            where=options.filter,
            without=named,
            within=_within(verdict, options),
            unlike=np.concatenate([image.vectors for image in unlike]) if unlike else None,
            group_by=options.group_by,
        )
        while True:
            # One more than is shown tells whether there is a next page.
            rows = rank(self._store, model.id, queries, end + 1, constraints)
            shown = rows[options.offset : end]
            ids = [row.id for row in shown]
            records = self._store.get(ids)
            vectors = self._store.vectors(model.id, ids) if options.embeddings else {}
            # An image removed since the store answered: ask again, so that no page comes short.
            if len(records) == len(shown):
                break
        return SearchPage(
            model=model.manifest,
            queries=images,
            matches=[
                Match(position, row.distance, records[row.id], row.group, vectors.get(row.id))
                for position, row in enumerate(shown, start=options.offset + 1)
            ],
            total=total,
            offset=options.offset,
            next_offset=end if len(rows) > end else None,
            nearest=rows[0].distance if rows else None,
            verdict=verdict,
        )


def _within(verdict: Verdict, options: Options) -> Callable[[float], bool] | None:
    """Whether a distance is near enough; None when any is. Raises ``ParameterInvalid``."""
    limit, least = options.max_distance, options.min_score
    if least is not None and verdict.score(0) is None:
        raise ParameterInvalid("min_score", "the model has no calibration, so there are no scores")
    if limit is None and least is None:
        return None

    def near(distance: float) -> bool:
        if limit is not None and distance > limit:
            return False
        return least is None or (verdict.score(distance) or 0) >= least

    return near


def _mean(vectors: Vectors) -> Vectors:
    """The mean over the images of float32 [N, views, D], as long as the vectors are on average.

    Between unit vectors only directions count, and a mean of them is shorter than they are.
    """
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    target = np.linalg.norm(vectors, axis=-1).mean(axis=0)[:, None]
    scaled: Vectors = (mean * (target / np.maximum(length, 1e-12))).astype(np.float32)
    return scaled
