"""The exact index beside what a first version would do: NumPy's norm and argsort.

    .venv/bin/python benchmarks/index.py [--images 100000] [--dimension 256]

Prints the median time of a query for both, in turn in one run, and their ratio; and checks that
both find the same images.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from app.index import FlatIndex

ROUNDS, TOP_K = 15, 10


def timed(work: Callable[[], list[str]]) -> tuple[float, list[str]]:
    start = time.perf_counter()
    found = work()
    return (time.perf_counter() - start) * 1000, found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--dimension", type=int, default=256)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(options.images, options.dimension)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{place:08d}" for place in range(options.images)]
    index = FlatIndex(options.dimension)
    index.add(ids, vectors)

    ours, naive = [], []
    for _ in range(ROUNDS):
        query = vectors[rng.integers(options.images)] + rng.normal(size=options.dimension) * 0.01
        query = query.astype(np.float32)
        ms, found = timed(lambda query=query: index.search(query[None], TOP_K)[0][0])
        ours.append(ms)
        ms, expected = timed(
            lambda query=query: [
                ids[i] for i in np.linalg.norm(vectors - query, axis=1).argsort()[:TOP_K]
            ]
        )
        naive.append(ms)
        if found != expected:
            raise SystemExit(f"the two differ: {found} and {expected}")
    a, b = statistics.median(ours), statistics.median(naive)
    print(f"{options.images:,} × {options.dimension}, top {TOP_K}, median of {ROUNDS} queries")
    print(
        f"exact index      {a:8.1f} ms\nnorm and argsort {b:8.1f} ms\nratio            {b / a:8.1f}"
    )


if __name__ == "__main__":
    main()
