"""Embeds a check's pictures with several models at once, and scores each query."""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Encoder, Vectors
from app.errors import ImageError
from app.images.prepare import Pixels, prepare
from benchmarks.default_model.checks import Check, Picture
from trainer.data.cache_build import TRUSTED
from trainer.errors import DataError
from trainer.evaluate.bootstrap import difference, interval
from trainer.evaluate.comparison import Row
from trainer.evaluate.metrics import map_at_r, recall_at_k
from trainer.evaluate.whitened import whitening_of

Scores = dict[str, npt.NDArray[np.float64]]

_IMAGES, _QUERIES = 32, 256


@dataclass(frozen=True, slots=True)
class Result:
    """Figures of a check, or of the ``part`` of its queries; rows are untrained, trained."""

    check: str
    part: str | None
    queries: int
    gallery: int
    rows: Sequence[Row]

    def row(self, figure: str) -> Row:
        return next(row for row in self.rows if row.figure == figure)


def measure(
    check: Check, untrained: Encoder, trained: Encoder, advance: Callable[[int], None]
) -> list[Result]:
    """The whole check first, then each part of its queries. Raises ``DataError``.

    What ``untrained`` gives is whitened on the check's own gallery, as ``gemello evaluate --untrained`` does.
    Intervals and differences draw whole classes (``trainer.evaluate.bootstrap``): all edits of an original,
    all photographs of a kind.
    """
    encoders = (untrained, trained)
    queries = embed(encoders, check.queries, advance)
    labels = np.array([picture.label for picture in check.queries])
    if check.gallery is None:
        galleries, answers = queries, labels
    else:
        galleries = embed(encoders, check.gallery, advance)
        answers = np.array([picture.label for picture in check.gallery])
    linear = whitening_of(galleries[0])
    if linear is not None:
        queries, galleries = ([linear(found[0]), *found[1:]] for found in (queries, galleries))
    own = check.gallery is None
    counts = Counter(answers.tolist())
    asked = np.array([counts[label] > own for label in labels.tolist()], bool)
    if not asked.any():
        raise DataError(f"{check.name}: no query has a match.")
    first, second = (
        scores(mine[asked], labels[asked], theirs, answers, np.flatnonzero(asked) if own else None)
        for mine, theirs in zip(queries, galleries, strict=True)
    )
    parts = [picture.parts for picture, kept in zip(check.queries, asked, strict=True) if kept]
    results = []
    # The first part of every query comes before their second ones.
    for part in (
        None,
        *dict.fromkeys(name for names in zip(*parts, strict=True) for name in names),
    ):
        rows = np.array([part is None or part in names for names in parts], bool)
        results.append(
            Result(
                check.name,
                part,
                int(rows.sum()),
                len(answers) - own,
                [
                    compare(name, first[name][rows], second[name][rows], labels[asked][rows])
                    for name in first
                ],
            )
        )
    return results


def compare(
    figure: str,
    first: npt.NDArray[np.float64],
    second: npt.NDArray[np.float64],
    classes: npt.NDArray[np.str_],
) -> Row:
    return Row(
        figure,
        interval(first, classes),
        interval(second, classes),
        difference(first, second, classes),
    )


def embed(
    encoders: Sequence[Encoder], pictures: Sequence[Picture], advance: Callable[[int], None]
) -> list[Vectors]:
    """Vectors [N, D] of each encoder; a picture is decoded once for encoders of one size.

    Raises ``DataError`` when a picture cannot be read.
    """
    size = encoders[0].input_size
    if any(encoder.input_size != size for encoder in encoders):
        raise ValueError("the encoders take images of different sizes")

    def decoded(picture: Picture) -> Pixels:
        try:
            return prepare(picture.read(), size, TRUSTED).pixels
        except OSError as exc:
            raise DataError(f"{picture.path} cannot be read ({exc.strerror or exc}).") from exc
        except ImageError as exc:
            raise DataError(f"{picture.path} cannot be read: {exc}") from exc

    found: list[list[Vectors]] = [[] for _ in encoders]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for start in range(0, len(pictures), _IMAGES):
            chunk = pictures[start : start + _IMAGES]
            images = np.stack(list(pool.map(decoded, chunk)))
            for vectors, encoder in zip(found, encoders, strict=True):
                vectors.append(encoder.embed(images))
            advance(len(chunk))
    return [np.concatenate(vectors) for vectors in found]


def scores(
    queries: Vectors,
    labels: npt.NDArray[np.str_],
    gallery: Vectors,
    answers: npt.NDArray[np.str_],
    own: npt.NDArray[np.int64] | None = None,
) -> Scores:
    """``recall@1``, ``recall@5`` and ``map@r`` of every query, float64 [N].

    ``queries`` [N, D] of ``labels`` [N] are searched in ``gallery`` [M, D] of ``answers`` [M] by
    Euclidean distance, ties by place; ``own`` [N] are the queries' own places in the gallery, which
    are no answers. Every query needs a right one.
    """
    right = gallery.astype(np.float64)
    squares = (right**2).sum(axis=1)
    out: dict[str, list[npt.NDArray[np.float64]]] = {"recall@1": [], "recall@5": [], "map@r": []}
    for start in range(0, len(queries), _QUERIES):
        rows = slice(start, start + _QUERIES)
        # The query's own square is the same for every answer.
        distances = squares - 2 * queries[rows].astype(np.float64) @ right.T
        hits = answers == labels[rows, None]
        if own is not None:
            each = np.arange(len(distances))
            distances[each, own[rows]] = np.inf
            hits[each, own[rows]] = False
        order = np.argsort(distances, axis=1, kind="stable")
        ranked = np.take_along_axis(hits, order, axis=1)
        out["recall@1"].append(recall_at_k(ranked, 1))
        out["recall@5"].append(recall_at_k(ranked, 5))
        out["map@r"].append(map_at_r(ranked, hits.sum(axis=1)))
    return {name: np.concatenate(values) for name, values in out.items()}
