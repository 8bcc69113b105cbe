"""How well a model retrieves, measured on the published bundle with the service's own code."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Encoder, Vectors
from app.index.flat import FlatIndex
from trainer.data.cache import ImageCache
from trainer.data.records import Record, read_data, without_single_images
from trainer.errors import DataError
from trainer.evaluate.embedding import Labelled, embed_cache, embed_files
from trainer.evaluate.measurement import TOP, Measurement
from trainer.evaluate.metrics import RECALL_AT, RetrievalFigures, map_at_r, r_precision
from trainer.evaluate.pairs import sample_pairs
from trainer.evaluate.ranks import first_ranks

__all__ = [
    "Labelled",
    "measure_cache",
    "measure_queries",
    "measure_records",
    "measure_vectors",
    "queries_and_gallery",
    "retrieval",
    "retrieved",
]

Advance = Callable[[int], None]
_CHUNK = 256
_NOTHING = "No query has a match in the gallery, so there is nothing to measure."


def measure_queries(
    encoder: Encoder, queries: Path, gallery: Path, advance: Advance = lambda _: None
) -> Measurement:
    """Search the images of one folder in another; both have one folder per class.

    A query whose class the gallery lacks is left out and counted in ``without_match``.
    Raises ``DataError``.
    """
    asked, query_bad = _embed(encoder, read_data(queries), advance)
    answers, bad = _embed(encoder, read_data(gallery), advance)
    known = np.isin(asked.embedded.labels, np.unique(answers.embedded.labels))
    return _measurement(
        asked.subset(known),
        answers,
        protocol=f"every image of {queries.name} searched in {gallery.name}",
        without_match=int((~known).sum()),
        bad={**query_bad, **bad},
    )


def measure_records(
    encoder: Encoder, records: Sequence[Record], advance: Advance = lambda _: None
) -> Measurement:
    """Search every image in all the others (leave one out).

    Classes with one image are left out as queries, and counted in ``without_match``.
    Raises ``DataError``.
    """
    paired, single = without_single_images(records)
    files, bad = _embed(encoder, paired, advance)
    return _measure_in_itself(files, single, bad)


def measure_cache(
    encoder: Encoder, cache: ImageCache, advance: Advance = lambda _: None
) -> Measurement:
    """Measure as ``measure_records`` does, but images that are decoded already, at the encoder's size."""
    return measure_vectors(embed_cache(encoder, cache, advance), cache)


def measure_vectors(vectors: Vectors, cache: ImageCache) -> Measurement:
    """Measure as ``measure_cache`` does, with ``vectors`` float32 [N, D] of the N images."""
    paths = [record.path for record in cache.records]
    labels = np.array([record.label for record in cache.records], dtype=object)
    return _measure_in_itself(_Files(paths, Labelled(vectors, labels)), 0, {})


def queries_and_gallery(data: Path) -> tuple[Path, Path] | None:
    """Return the folders ``queries`` and ``gallery`` of ``data``, where it has both."""
    queries, gallery = data / "queries", data / "gallery"
    return (queries, gallery) if queries.is_dir() and gallery.is_dir() else None


def retrieval(queries: Labelled, gallery: Labelled | None = None) -> dict[str, Any]:
    """Return the figures of searching ``queries`` in ``gallery``, or in each other without it.

    In each other, a query's own vector is never among its answers. Every query needs a right
    answer. Works through chunks of queries, so that no N × M matrix exists. Raises ``DataError``.
    """
    figures = RetrievalFigures()
    for chunk in _search(queries, gallery):
        figures.add(chunk.hits, chunk.relevant)
    size = len((gallery or queries).vectors)
    return {**figures.means(), "queries": figures.queries, "gallery": size}


def retrieved(
    queries: Labelled,
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Return whether the first answer to each of ``queries`` [N], searched in the others, is right [N], and its MAP@R [N].

    Every query needs a right answer. Raises ``DataError``.
    """
    chunks = list(_search(queries, None))
    first = np.concatenate([chunk.hits[:, 0] for chunk in chunks])
    return first, np.concatenate([map_at_r(chunk.hits, chunk.relevant) for chunk in chunks])


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Answers of the queries in ``rows``, nearest first: ``hits`` bool [n, W], W ≥ 10 and ≥ R;
    ``indices`` int64 and ``distances`` float32 [n, 5], −1 and NaN where the gallery has fewer;
    ``relevant`` int64 [n], the number R of right answers that there are.
    """

    rows: slice
    hits: npt.NDArray[np.bool_]
    indices: npt.NDArray[np.int64]
    distances: npt.NDArray[np.float32]
    relevant: npt.NDArray[np.int64]


def _search(queries: Labelled, gallery: Labelled | None) -> Iterator[_Chunk]:
    own = gallery is None
    answers = gallery or queries
    if not len(queries.vectors) or not len(answers.vectors):
        raise DataError(_NOTHING)
    flat = FlatIndex(answers.vectors.shape[1])
    flat.add([f"{index:09d}" for index in range(len(answers.vectors))], answers.vectors)
    sizes = Counter(answers.labels.tolist())
    relevant = np.array([sizes[label] - own for label in queries.labels.tolist()], np.int64)
    width = max(*RECALL_AT, TOP, int(relevant.max()))
    for start in range(0, len(queries.vectors), _CHUNK):
        rows = slice(start, min(start + _CHUNK, len(queries.vectors)))
        ids, distances = flat.search(queries.vectors[rows], width + own)
        count = len(ids)
        hits = np.zeros((count, width), bool)
        indices = np.full((count, TOP), -1, np.int64)
        nearest = np.full((count, TOP), np.nan, np.float32)
        for i, row in enumerate(ids):
            answered = np.array([int(index) for index in row], np.int64)
            others = np.flatnonzero(answered != start + i) if own else np.arange(len(answered))
            others = others[:width]
            hits[i, : len(others)] = answers.labels[answered[others]] == queries.labels[start + i]
            top = others[:TOP]
            indices[i, : len(top)], nearest[i, : len(top)] = answered[top], distances[i, top]
        yield _Chunk(rows, hits, indices, nearest, relevant[rows])


@dataclass(frozen=True, slots=True)
class _Files:
    """Files and their embeddings, row by row."""

    paths: list[Path]
    embedded: Labelled

    def subset(self, mask: npt.NDArray[np.bool_]) -> "_Files":
        paths = [path for path, keep in zip(self.paths, mask, strict=True) if keep]
        return _Files(paths, self.embedded.subset(mask))


def _measure_in_itself(files: _Files, without_match: int, bad: dict[str, str]) -> Measurement:
    labels = files.embedded.labels.tolist()
    counts = Counter(labels)
    paired = np.array([counts[label] > 1 for label in labels], bool)
    return _measurement(
        files.subset(paired),
        None,
        protocol="every image searched in all the others",
        without_match=without_match + int((~paired).sum()),
        bad=bad,
    )


def _measurement(
    asked: _Files,
    answers: _Files | None,
    *,
    protocol: str,
    without_match: int,
    bad: dict[str, str],
) -> Measurement:
    queries, gallery = asked.embedded, answers.embedded if answers else None
    count = len(queries.vectors)
    ranks = np.empty(count, np.int64)
    average, precision = np.empty(count), np.empty(count)
    top, nearest = np.empty((count, TOP), np.int64), np.empty((count, TOP), np.float32)
    for chunk in _search(queries, gallery):
        rows, hits = chunk.rows, chunk.hits
        ranks[rows] = np.where(hits.any(axis=1), hits.argmax(axis=1) + 1, 0)
        average[rows] = map_at_r(hits, chunk.relevant)
        precision[rows] = r_precision(hits, chunk.relevant)
        top[rows], nearest[rows] = chunk.indices, chunk.distances
    missed = np.flatnonzero(ranks == 0)
    ranks[missed] = first_ranks(queries, gallery, missed)
    searched = answers or asked
    return Measurement(
        paths=asked.paths,
        labels=queries.labels,
        embeddings=queries.vectors,
        ranks=ranks,
        average_precision=average,
        r_precision=precision,
        top=top,
        top_distances=nearest,
        gallery_paths=searched.paths,
        gallery_labels=searched.embedded.labels,
        gallery_embeddings=searched.embedded.vectors,
        pairs=sample_pairs(queries, gallery),
        protocol=protocol,
        without_match=without_match,
        bad=bad,
    )


def _embed(
    encoder: Encoder, records: Sequence[Record], advance: Advance
) -> tuple[_Files, dict[str, str]]:
    label_of = {record.path: record.label for record in records}
    embedded = embed_files(encoder, list(label_of), advance)
    labels = np.array([label_of[path] for path in embedded.paths], dtype=object)
    return _Files(embedded.paths, Labelled(embedded.vectors, labels)), embedded.bad
