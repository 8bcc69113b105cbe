"""How many numbers of a published embedding the pretrained features need (``keep_dimension``).

    .venv/bin/python benchmarks/kept_dimensions.py [--model default] [--kept 64,128,256,512]

They stand last and in order of their principal axes, so that fewer of them, at unit length again,
are what a smaller ``keep_dimension`` would have published. Every picture of the checks of
``benchmarks/default_model.py`` is embedded once; the table has recall@1 for each number, the bytes
of an image in memory, and the median time of a search among 100,000 vectors of that dimension.
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import numpy as np
from rich.console import Console

from app.config import load_settings
from app.encoder import Encoder, Vectors
from app.errors import GemelloError
from app.index import FlatIndex
from app.model_store import resolve
from app.runtimes import load_encoder
from benchmarks.check_tables import Grid
from benchmarks.default_model import DATA
from benchmarks.retrieval_checks import Check, find_checks, sources
from benchmarks.retrieval_scores import embed, scores
from trainer.config import TrainConfig, read_config
from trainer.network.features import unit
from trainer.progress import track

_IMAGES, _SEARCHES = 100_000, 15


def narrowed(vectors: Vectors, config: TrainConfig, kept: int) -> Vectors:
    """Embeddings float32 [N, D] of a model with ``config.keep``, with ``kept`` numbers of the old."""
    trained, old = np.split(vectors, [config.dimension], axis=1)
    fewer = np.linalg.norm(old, axis=1, keepdims=True) * unit(old[:, :kept])
    return np.concatenate([trained, fewer], axis=1)


def recalls(check: Check, encoder: Encoder, config: TrainConfig, kept: list[int]) -> list[float]:
    """Recall@1 of ``check`` for each number in ``kept``."""
    total = len(check.queries) + len(check.gallery or ())
    with track(check.name, total) as advance:
        (queries,) = embed([encoder], check.queries, advance)
        gallery = queries if check.gallery is None else embed([encoder], check.gallery, advance)[0]
    labels = np.array([picture.label for picture in check.queries])
    own = np.arange(len(labels)) if check.gallery is None else None
    answers = labels if check.gallery is None else np.array([p.label for p in check.gallery])
    names, counts = np.unique(answers, return_counts=True)
    paired = np.isin(labels, names[counts > (own is not None)])
    found = []
    for number in kept:
        mine, theirs = (narrowed(v, config, number) for v in (queries, gallery))
        places = None if own is None else own[paired]
        score = scores(mine[paired], labels[paired], theirs, answers, places)
        found.append(float(score["recall@1"].mean()))
    return found


def search_ms(dimension: int) -> float:
    """Median time of one query's first ten among ``_IMAGES`` random vectors."""
    rng = np.random.default_rng(0)
    index = FlatIndex(dimension)
    vectors = unit(rng.standard_normal((_IMAGES, dimension), np.float32))
    index.add([f"{place:06d}" for place in range(_IMAGES)], vectors)
    times = []
    for query in vectors[:_SEARCHES]:
        start = time.perf_counter()
        index.search(query[None], 10)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="default", help="published model: name or name/version")
    parser.add_argument("--store", type=Path, help="folder of published models")
    parser.add_argument("--data", type=Path, default=DATA, help="what fetch.py wrote")
    parser.add_argument("--kept", default="64,128,256,512", help="numbers to measure")
    parser.add_argument("--each", type=int, default=3, help="originals edited of each folder")
    given = parser.parse_args(arguments)
    try:
        bundle = resolve(given.store or load_settings().model_store, given.model)
    except GemelloError as exc:
        sys.exit(str(exc))
    config = read_config(bundle.manifest.training.get("config", {}))
    if not config.keep:
        sys.exit(f"{bundle.title} keeps no pretrained features, so there is nothing to shorten.")
    kept = sorted({min(int(part), config.keep_dimension) for part in given.kept.split(",")})
    checks, missing = find_checks(sources(given.data), given.each, seed=0)
    for item in missing:
        print(f"NOT CHECKED {item}", file=sys.stderr)
    if not checks:
        sys.exit("There is nothing to check with.")
    encoder = load_encoder(bundle)
    columns = [recalls(check, encoder, config, kept) for check in checks]
    rows = []
    for place, number in enumerate(kept):
        dimension = config.dimension + number
        cells = [f"{column[place]:.3f}" for column in columns]
        cost = (f"{4 * dimension:,}", f"{search_ms(dimension):.1f}")
        rows.append((str(number), str(dimension), *cost, *cells))
    header = ["kept", "dimension", "bytes", "search, ms", *(f"{c.name} recall@1" for c in checks)]
    grid = Grid(f"{bundle.title}: numbers of the pretrained features", header, rows)
    if sys.stdout.isatty():
        Console().print(grid.rich())
    else:
        print(grid.markdown())


if __name__ == "__main__":
    main()
