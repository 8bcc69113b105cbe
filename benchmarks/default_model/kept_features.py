"""How many numbers of an embedding the pretrained features need, and how large a share of it.

    .venv/bin/python -m benchmarks.default_model.kept_features [--model default] [--kept 64,128,256,512]
        [--unlike 0.6,0.75,0.82,0.9]

The features stand last in an embedding, in order of their principal axes, and their squared length is
their share. So embeddings of a smaller ``keep_dimension`` or of another ``keep_unlike`` follow from
those of the published model: what the same trained weights would give. Every picture of the checks
of ``benchmarks.default_model`` is embedded once. The tables have recall@1 of each check; the first
has the bytes of an image in memory and the median time of a search among 100,000 vectors, too.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from app.bundle.encoder import Encoder, Vectors
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.config import load_settings
from app.errors import GemelloError
from app.index.flat import FlatIndex
from benchmarks.default_model.checks import Check, find_checks
from benchmarks.default_model.scores import embed, scores
from benchmarks.default_model.sources import DATA, sources
from benchmarks.default_model.tables import Grid
from gemello.progress import track
from trainer.config import NetworkConfig, read_stored
from trainer.network.features import unit

_IMAGES, _SEARCHES = 100_000, 15

Change = Callable[[Vectors], Vectors]


def narrowed(vectors: Vectors, config: NetworkConfig, kept: int) -> Vectors:
    """Embeddings float32 [N, D] of a model with ``config.keep``, with ``kept`` numbers of the old."""
    trained, old = np.split(vectors, [config.dimension], axis=1)
    fewer = np.linalg.norm(old, axis=1, keepdims=True) * unit(old[:, :kept])
    return np.concatenate([trained, fewer], axis=1)


def reshared(vectors: Vectors, config: NetworkConfig, unlike: float) -> Vectors:
    """Embeddings float32 [N, D] of a published model, with ``unlike`` for its ``keep_unlike``.

    A share is a line in f³ from ``keep_unlike`` at 0 to ``keep`` at 1 (``KeptShare``).
    """
    trained, old = np.split(vectors, [config.dimension], axis=1)
    shares = np.square(old).sum(axis=1, keepdims=True)
    before = config.keep_unlike or config.keep
    cubes = (shares - before) / (config.keep - before)
    wanted = np.clip(unlike + (config.keep - unlike) * cubes, 0, 1)
    return np.concatenate(
        [unit(trained) * np.sqrt(1 - wanted), unit(old) * np.sqrt(wanted)], axis=1
    )


def recalls(check: Check, encoder: Encoder, changes: Sequence[Change]) -> list[float]:
    """Recall@1 of ``check`` with each change of the embeddings; each picture is embedded once."""
    total = len(check.queries) + len(check.gallery or ())
    with track(check.name, total) as advance:
        (queries,) = embed([encoder], check.queries, advance)
        gallery = queries if check.gallery is None else embed([encoder], check.gallery, advance)[0]
    labels = np.array([picture.label for picture in check.queries])
    own = np.arange(len(labels)) if check.gallery is None else None
    answers = labels if check.gallery is None else np.array([p.label for p in check.gallery])
    names, counts = np.unique(answers, return_counts=True)
    paired = np.isin(labels, names[counts > (own is not None)])
    places = None if own is None else own[paired]
    found = []
    for change in changes:
        score = scores(change(queries)[paired], labels[paired], change(gallery), answers, places)
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


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="default", help="published model: name or name/version")
    parser.add_argument("--store", type=Path, help="folder of published models")
    parser.add_argument("--data", type=Path, default=DATA, help="what fetch.py wrote")
    parser.add_argument("--kept", default="64,128,256,512", help="numbers to measure")
    parser.add_argument(
        "--unlike", default="0.6,0.75,0.82,0.9,1", help="shares of unlike pictures to measure"
    )
    parser.add_argument("--each", type=int, default=3, help="originals edited of each folder")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    try:
        bundle = resolve(given.store or load_settings().model_store, given.model)
    except GemelloError as exc:
        sys.exit(str(exc))
    config = read_stored(bundle.manifest.training.get("config", {})).published_network
    if not config.keep:
        sys.exit(f"{bundle.title} keeps no pretrained features, so there is nothing to change.")
    numbers = sorted({min(int(part), config.keep_dimension) for part in given.kept.split(",")})
    # Where all pictures keep the same share, no other one of unlike pictures can be told from it.
    varies = (config.keep_unlike or config.keep) > config.keep
    shares = sorted(map(float, given.unlike.split(","))) if varies else []
    checks, missing = find_checks(sources(given.data), given.each, seed=0)
    for item in missing:
        print(f"NOT CHECKED {item}", file=sys.stderr)
    if not checks:
        sys.exit("There is nothing to check with.")
    changes: list[Change] = [
        *(lambda v, n=number: narrowed(v, config, n) for number in numbers),
        *(lambda v, s=share: reshared(v, config, s) for share in shares),
    ]
    encoder = load_encoder(bundle)
    columns = [recalls(check, encoder, changes) for check in checks]
    cells = [[f"{column[place]:.3f}" for column in columns] for place in range(len(changes))]
    names = [f"{check.name} recall@1" for check in checks]
    sizes = [config.dimension + number for number in numbers]
    first = [
        (str(number), str(size), f"{4 * size:,}", f"{search_ms(size):.1f}", *row)
        for number, size, row in zip(numbers, sizes, cells, strict=False)
    ]
    second = [(f"{s:g}", *row) for s, row in zip(shares, cells[len(numbers) :], strict=True)]
    show(Grid(f"{bundle.title}: numbers kept", ["kept", "dimension", "bytes", "ms", *names], first))
    if second:
        show(Grid(f"{bundle.title}: share of unlike pictures", ["share", *names], second))


def show(grid: Grid) -> None:
    if sys.stdout.isatty():
        Console().print(grid.rich())
    else:
        print(grid.markdown(), end="\n\n")


if __name__ == "__main__":
    main()
