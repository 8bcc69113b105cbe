"""The exact index beside what a first version would do: NumPy's norm and argsort.

    .venv/bin/python benchmarks/index.py [--images 100000] [--dimension 256]

Prints the median time of a query for both, in turn in one run, and their ratio; and checks that
both find the same images. Then the same among the half that a filter allows, where the first search
looks the half up; and what it takes to remove a hundredth of all.
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np

from app.index.flat import FlatIndex
from app.index.vector_index import Selection

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

    half = ids[::2]
    allowed = Selection(half)
    first, _ = timed(lambda: index.search(vectors[:1], TOP_K, allowed)[0][0])
    print(f"{options.images:,} × {options.dimension}, top {TOP_K}, median of {ROUNDS} queries")
    compare("whole gallery", index, None, ids, vectors, rng)
    compare("a filter's half", index, allowed, half, np.ascontiguousarray(vectors[::2]), rng)
    removal, _ = timed(lambda: index.remove(ids[::100]) or [])
    print(f"the first search with the filter took {first:.1f} ms, removing 1 % {removal:.1f} ms")


def compare(
    title: str,
    index: FlatIndex,
    allowed: Selection | None,
    ids: list[str],
    vectors: np.ndarray,
    rng: np.random.Generator,
) -> None:
    """Search ``ids`` with their ``vectors`` both ways, in turn, and print the times."""
    ours, naive = [], []
    for _ in range(ROUNDS):
        noise = rng.normal(size=vectors.shape[1]) * 0.01
        query = (vectors[rng.integers(len(ids))] + noise).astype(np.float32)
        ms, found = timed(lambda query=query: index.search(query[None], TOP_K, allowed)[0][0])
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
    print(f"{title:16} ours {a:8.1f} ms, norm and argsort {b:8.1f} ms, ratio {b / a:6.1f}")


if __name__ == "__main__":
    main()
