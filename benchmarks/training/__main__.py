"""Training on images that nobody here made: five sets, asked for classes that were not trained on.

    make setup-train, and the images as examples/default_model/README.md says
    .venv/bin/python -m benchmarks.training [--seeds 0,1,2] [--sets grocery,things] [--peer] [-- OPTIONS]

For each set and seed ``gemello train`` runs as it is, with what follows ``--``, and is measured beside
the best that its backbone does without labels: its features whitened on the same images. A class is
trained on or asked for by a hash of its name; about 1,500 images are trained on, as many of each class.

With ``--peer`` (after ``make bench-setup``) pytorch-metric-learning trains on the same files from the
same weights. It is asked at the side that it was trained at, and at ours, because a network that was
trained on crops finds more in a larger picture, whoever trained it. Each training is a process of its
own, one after the other, and its minutes and memory are those of the whole command. Prints Markdown
tables, and writes every figure as JSON.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from benchmarks.training.image_sets import SETS
from benchmarks.training.tables import Row, markdown, means, row
from benchmarks.training.trainings import ROOT, ours, theirs, write_data
from gemello.progress import say

PEER_PYTHON = ROOT / ".venv-bench" / "bin" / "python"
PEER_SIZE = 128


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--peer", action="store_true", help="beside pytorch-metric-learning")
    parser.add_argument("--peer-python", type=Path, default=PEER_PYTHON)
    parser.add_argument("--peer-size", type=int, default=PEER_SIZE, help="side that it trains at")
    parser.add_argument("--peer-options", default="", help='in one word: "--epochs=6"')
    parser.add_argument("--out", type=Path, default=Path("training-benchmark.json"))
    parser.add_argument("options", nargs="*", help="for gemello train, after --")
    given = parser.parse_args(arguments)
    if unknown := set(given.sets.split(",")) - set(SETS):
        parser.error(f"{min(unknown)} is not one of the sets: {', '.join(SETS)}")
    if given.peer and not given.peer_python.exists():
        parser.error(f"{given.peer_python} does not exist; run `make bench-setup`.")
    return given


def rows_of(name: str, seed: int, given: argparse.Namespace) -> Iterator[Row]:
    """Yield the rows of one set and seed as they are measured."""
    images = SETS[name]()
    paths = [record.path for record in images.train]
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = write_data(images.train, scratch)
        untrained, trained = ours(data, paths, seed, given.options, scratch)
        before = images.ask(untrained.encoder)
        yield row(name, seed, len(paths), untrained, before, None)
        yield row(name, seed, len(paths), trained, images.ask(trained.encoder), before)
        if not given.peer:
            return
        sides = sorted({given.peer_size, trained.encoder.input_size})
        peer = [f"--size={given.peer_size}", *given.peer_options.split()]
        for other in theirs(data, seed, sides, given.peer_python, peer, scratch):
            yield row(name, seed, len(paths), other, images.ask(other.encoder), before)


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    rows: list[Row] = []
    for name in given.sets.split(","):
        for seed in given.seeds.split(","):
            for measured in rows_of(name, int(seed), given):
                rows.append(measured)
                say(markdown([measured]).splitlines()[-1])
                # After each, so that an interrupted benchmark keeps what it has.
                document = {"options": given.options, "rows": [asdict(each) for each in rows]}
                given.out.write_text(json.dumps(document, indent=2) + "\n")
    print(markdown(rows), markdown(means(rows)), sep="\n\n")


if __name__ == "__main__":
    main()
