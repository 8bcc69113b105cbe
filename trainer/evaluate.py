"""How well a model retrieves, measured on the published bundle with the service's own code."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.encoder import Encoder, Vectors
from app.index import FlatIndex
from trainer.data import Record, read_data, without_single_images
from trainer.embedding import embed_files
from trainer.errors import DataError
from trainer.metrics import RECALL_AT, RetrievalFigures

Advance = Callable[[int], None]
Labels = npt.NDArray[np.object_]
_CHUNK = 256


@dataclass(frozen=True, slots=True)
class Labelled:
    """Embeddings float32 [N, D] and their labels, str [N]."""

    vectors: Vectors
    labels: Labels

    def subset(self, mask: npt.NDArray[np.bool_]) -> "Labelled":
        return Labelled(self.vectors[mask], self.labels[mask])


def evaluate_queries(
    encoder: Encoder, queries: Path, gallery: Path, advance: Advance = lambda _: None
) -> dict[str, Any]:
    """Search the images of one folder in another; both have one folder per class.

    Returns ``recall@1``, ``recall@5``, ``recall@10``, ``map@r``, ``r_precision``, ``queries``,
    ``gallery``, ``protocol`` and ``bad`` (file → why it was left out). A query whose class the
    gallery lacks is left out and counted in ``without_match``. Raises ``DataError``.
    """
    asked, query_bad = _embed(encoder, read_data(queries), advance)
    answers, bad = _embed(encoder, read_data(gallery), advance)
    known = np.isin(asked.labels, np.unique(answers.labels))
    return {
        **retrieval(asked.subset(known), answers),
        "protocol": f"every image of {queries.name} searched in {gallery.name}",
        "without_match": int((~known).sum()),
        "bad": {**query_bad, **bad},
    }


def evaluate_records(
    encoder: Encoder, records: Sequence[Record], advance: Advance = lambda _: None
) -> dict[str, Any]:
    """Search every image in all the others (leave one out); keys as of ``evaluate_queries``.

    Classes with one image are left out as queries, and counted in ``without_match``.
    """
    kept, single = without_single_images(records)
    embedded, bad = _embed(encoder, kept, advance)
    counts = Counter(embedded.labels.tolist())
    paired = np.array([counts[label] > 1 for label in embedded.labels.tolist()], bool)
    return {
        **retrieval(embedded.subset(paired)),
        "protocol": "every image searched in all the others",
        "without_match": single + int((~paired).sum()),
        "bad": bad,
    }


def evaluate_data(
    encoder: Encoder, data: Path, advance: Advance = lambda _: None
) -> dict[str, Any]:
    """``evaluate_records`` of a class folder or CSV."""
    return evaluate_records(encoder, read_data(data), advance)


def retrieval(queries: Labelled, gallery: Labelled | None = None) -> dict[str, Any]:
    """Figures of searching ``queries`` in ``gallery``, or in each other without it.

    In each other, a query's own vector is never among its answers. Every query needs a right
    answer. Works through chunks of queries, so that no N × M matrix exists. Raises ``DataError``.
    """
    own = int(gallery is None)
    vectors, labels = (
        (gallery.vectors, gallery.labels) if gallery else (queries.vectors, queries.labels)
    )
    if not len(queries.vectors) or not len(vectors):
        raise DataError("No query has a match in the gallery, so there is nothing to measure.")
    index = FlatIndex(vectors.shape[1])
    index.add([f"{place:09d}" for place in range(len(vectors))], vectors)
    sizes: Counter[str] = Counter(labels.tolist())
    relevant = np.array([sizes[label] - own for label in queries.labels.tolist()], np.int64)
    width = max(*RECALL_AT, int(relevant.max()))
    figures = RetrievalFigures()
    for start in range(0, len(queries.vectors), _CHUNK):
        rows = slice(start, start + _CHUNK)
        answers, _ = index.search(queries.vectors[rows], width + own)
        hits = np.zeros((len(answers), width), bool)
        for i, row in enumerate(answers):
            places = [place for place in map(int, row) if not own or place != start + i][:width]
            hits[i, : len(places)] = labels[places] == queries.labels[start + i]
        figures.add(hits, relevant[rows])
    return {**figures.means(), "queries": figures.queries, "gallery": len(vectors)}


def _embed(
    encoder: Encoder, records: Sequence[Record], advance: Advance
) -> tuple[Labelled, dict[str, str]]:
    label_of = {record.path: record.label for record in records}
    embedded = embed_files(encoder, list(label_of), advance)
    labels = np.array([label_of[path] for path in embedded.paths], dtype=object)
    return Labelled(embedded.vectors, labels), embedded.bad
