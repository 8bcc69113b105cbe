"""Searching a gallery: like these images, unlike those, among the ones that a filter allows."""

import threading
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.errors import ImageError, ParameterInvalid
from app.gallery.calibration import Calibrator, judge
from app.gallery.judging import Judge
from app.gallery.near_duplicates import Check, duplicate_groups
from app.gallery.places import Places
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

# However few are shown, the first of the ranking are judged to say whether there is a match.
_LOOKED_AT = 10
# Searches that pass over thousands of rows, or group them: more would take all threads and memory.
_DEEP_AT_ONCE = 2


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
        self._deep = Places(_DEEP_AT_ONCE)
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
        self, batches: Iterable[Sequence[bytes]], options: Options, *, flip: bool = False
    ) -> tuple[Manifest, list[SearchPage | ImageError]]:
        """Return a page for each image, or why there is none; and the model. Raises as ``search``.

        Images come in batches, so that they need not be in memory all at once.
        """
        pages: list[SearchPage | ImageError] = []
        with self._active.use() as model:
            for images in batches:
                embedded = self._embedder.embed_bytes(model, images, flip=flip)
                with self._metrics.stage("search"):
                    pages += [
                        image
                        if isinstance(image, ImageError)
                        else self._page(model, [image], image.vectors, [], frozenset(), options)
                        for image in embedded
                    ]
            return model.manifest, pages

    def embed(self, batches: Iterable[Sequence[bytes]]) -> Embeddings:
        """Return the vectors of images, which come in batches. Raises ``Overloaded`` when too busy."""
        with self._active.use() as model:
            embedded = [
                image for images in batches for image in self._embedder.embed_bytes(model, images)
            ]
            return Embeddings(model.manifest, embedded)

    def compare(
        self, images: Sequence[bytes | str], false_alarms: float | None = None
    ) -> Comparison:
        """Return how far two images are apart, and what that means. Raises as ``search``."""
        with self._active.use() as model:
            first, second = (
                image.vectors[0].astype(np.float64)
                for image in all_embedded(self._embedder.embed(model, images))
            )
            return Comparison(
                model.manifest,
                float(np.linalg.norm(first - second)),
                judge(
                    self._calibrator.sample(model),
                    model.manifest.calibration,
                    1,
                    false_alarms or self._calibrator.false_alarms,
                    pair=True,
                ),
            )

    def vectors(self, ids: Sequence[str]) -> tuple[Manifest, dict[str, Vectors]]:
        """Return the vector of each of those ids that can be searched, and the model that made them."""
        with self._active.use() as model:
            return model.manifest, self._store.vectors(model.id, ids)

    def duplicates(
        self, max_distance: float, check: Check = lambda: None
    ) -> tuple[Manifest, list[list[str]]]:
        """Return groups of near-duplicates by id, and the model; remembered until the gallery changes.

        ``check`` is called now and then, and ends it by raising.
        """
        with self._active.use() as model, self._grouping:
            # By the model's id: to remember the model itself would keep it in memory.
            state = (model.id, max_distance, self._store.generation)
            if self._grouped[0] != state:
                self._grouped = (
                    state,
                    duplicate_groups(self._store, model.id, max_distance, check),
                )
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
        judging = self._judge(model, total * len(queries), options.match_false_alarms)
        least = options.min_score
        if least is not None and judging.verdict.score(0) is None:
            raise ParameterInvalid(
                "min_score", "the model has no calibration, so there are no scores"
            )
        constraints = Constraints(
            where=options.filter,
            without=named,
            within=_within(options, judging.likely_from(least) if least is not None else None),
            likely=judging.likely(least) if least is not None else None,
            unlike=np.concatenate([image.vectors for image in unlike]) if unlike else None,
            group_by=options.group_by,
        )
        while True:
            # One more than is shown tells whether there is a next page.
            rows = rank(
                self._store,
                model.id,
                queries,
                max(end + 1, _LOOKED_AT),
                constraints,
                self._deep,
            )
            shown = rows[options.offset : end]
            ids = [row.id for row in shown]
            records = self._store.get(ids)
            vectors = self._store.vectors(model.id, ids) if options.embeddings else {}
            # An image removed since the store answered: ask again, so that no page comes short.
            if len(records) == len(shown):
                break
        judged = judging.distances(shown)
        verdict = judging.verdict
        return SearchPage(
            model=model.manifest,
            queries=images,
            matches=[
                Match(
                    rank=position,
                    distance=row.distance,
                    image=records[row.id],
                    score=verdict.score(distance),
                    match=verdict.match(distance),
                    group=row.group,
                    vector=vectors.get(row.id),
                )
                for position, (row, distance) in enumerate(
                    zip(shown, judged, strict=True), start=options.offset + 1
                )
            ],
            total=total,
            offset=options.offset,
            next_offset=end if len(rows) > end else None,
            match=_any_match(verdict, [*judging.distances(rows[:_LOOKED_AT]), *judged]),
            calibration=verdict.source,
        )

    def _judge(self, model: ServedModel, images: int, false_alarms: float | None) -> Judge:
        """What judges a search of ``images``, each counted once for every view of the query.

        Each view has its own chance to come near an image that does not match.
        """
        sample = self._calibrator.sample(model)
        rate = false_alarms or self._calibrator.false_alarms
        verdict = judge(sample, model.manifest.calibration, images, rate)
        return Judge(self._store, model.id, sample, verdict)


def _any_match(verdict: Verdict, distances: Sequence[float]) -> bool | None:
    """False when nothing is left of the ranking; None without a calibration."""
    if verdict.source is None:
        return None
    return any(verdict.match(distance) for distance in distances)


def _within(
    options: Options, likely: Callable[[float], bool] | None
) -> Callable[[float], bool] | None:
    """Whether a distance may be near enough; None when any is."""
    limit = options.max_distance
    if limit is None:
        return likely
    return lambda distance: distance <= limit and (likely is None or likely(distance))


def _mean(vectors: Vectors) -> Vectors:
    """The mean over the images of float32 [N, views, D], as long as the vectors are on average.

    Between unit vectors only directions count, and a mean of them is shorter than they are.
    """
    mean = vectors.mean(axis=0)
    length = np.linalg.norm(mean, axis=-1, keepdims=True)
    target = np.linalg.norm(vectors, axis=-1).mean(axis=0)[:, None]
    scaled: Vectors = (mean * (target / np.maximum(length, 1e-12))).astype(np.float32)
    return scaled
