"""Our trainer beside pytorch-metric-learning: the emoji protocol, in one run on one machine.

    make bench-setup && .venv/bin/python examples/emoji/fetch.py
    .venv/bin/python benchmarks/training.py [--seeds 0,1,2] [--config configs/emoji.toml] [-- OPTIONS]

For each seed both train on the same folder, one after the other, each in a process of its own; what
follows ``--`` goes to ``gemello train``. Wall time is that of the whole command: imports, decoding,
training and writing the model, ours with what it publishes. Both models embed the same prepared
test images, and the same code searches the queries in the gallery. Each is asked at its own input
size, and both at 192 px, because a network trained on crops finds more in a larger picture whoever
trained it. Prints a Markdown table, and writes every figure as JSON.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from processes import Cost, measure
from rich.console import Console
from rich.table import Table

from app.bundle.encoder import Vectors
from app.bundle.manifest import Manifest
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.images.prepare import Pixels, prepare_file
from trainer.data.records import Record, read_data
from trainer.evaluate.retrieval import Labelled, retrieval

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "examples" / "emoji" / "data"
PEER = ROOT / "benchmarks" / "peer_metric_learning.py"
PEER_SIZE = 128
LARGER_SIZE = 192
QUICK_CLASSES = 60
OURS, THEIRS = "gemello", "pytorch-metric-learning"


@dataclass(frozen=True, slots=True)
class Run:
    """One training; None is what its trainer does not tell."""

    trainer: str
    seed: int
    recall_1: float
    recall_5: float
    recall_10: float
    larger_recall_1: float | None
    wall_s: float
    train_s: float
    images_per_s: float | None
    peak_mb: float


FIGURES = {
    "recall_1": ("recall@1", ".4f"),
    "recall_5": ("recall@5", ".4f"),
    "recall_10": ("recall@10", ".4f"),
    "larger_recall_1": (f"recall@1 at {LARGER_SIZE} px", ".4f"),
    "wall_s": ("wall time, s", ".0f"),
    "train_s": ("of it training, s", ".0f"),
    "images_per_s": ("training images/s", ".1f"),
    "peak_mb": ("peak memory, MB", ".0f"),
}


def ours(data: Path, seed: int, options: list[str], scratch: Path) -> Run:
    """``gemello train`` with an empty cache, measured on the bundle that it publishes."""
    store = scratch / "store"
    cost = measure(
        [
            *(sys.executable, "-m", "gemello", "train", str(data / "train"), "--name", "bench"),
            *("--store", str(store), "--cache", str(scratch / "cache"), "--seed", str(seed)),
            *options,
        ],
        ROOT,
        os.environ,
    )
    bundle = resolve(store, "bench")
    encoder = load_encoder(bundle)

    def embed(images: Pixels) -> Vectors:
        return np.concatenate(
            [encoder.embed(images[i : i + 64]) for i in range(0, len(images), 64)]
        )

    figures = searched(data, embed, encoder.input_size)
    larger = figures["recall@1"] if encoder.input_size == LARGER_SIZE else None
    return run(OURS, seed, figures, larger, cost, *trained(bundle.manifest))


def trained(manifest: Manifest) -> tuple[float, float | None]:
    """Seconds of all epochs, and images a second."""
    seconds = [epoch["seconds"] for epoch in manifest.training["history"]["epochs"]]
    # An epoch has as many images as there are, to within a batch.
    images = len(seconds) * manifest.data["images"]["train"]
    return sum(seconds), images / sum(seconds) if seconds else None


def theirs(data: Path, seed: int, options: list[str], scratch: Path, python: Path) -> Run:
    """The peer; its weights embed in another process, which is not measured."""
    model = scratch / "peer.pt"
    command = [str(python), str(PEER)]
    cost = measure(
        [*command, "train", str(data / "train"), str(model), "--seed", str(seed), *options],
        ROOT,
        os.environ,
    )
    told = json.loads(model.with_suffix(".json").read_text())

    def embed(images: np.ndarray) -> np.ndarray:
        np.save(scratch / "images.npy", images)
        files = [str(model), str(scratch / "images.npy"), str(scratch / "vectors.npy")]
        measure([*command, "embed", *files], ROOT, os.environ)
        vectors: np.ndarray = np.load(scratch / "vectors.npy")
        return vectors

    figures, larger = (searched(data, embed, size) for size in (PEER_SIZE, LARGER_SIZE))
    images_per_s = told["images"] / told["train_s"]
    return run(THEIRS, seed, figures, larger["recall@1"], cost, told["train_s"], images_per_s)


def run(
    trainer: str,
    seed: int,
    figures: dict[str, Any],
    larger_recall_1: float | None,
    cost: Cost,
    train_s: float,
    images_per_s: float | None,
) -> Run:
    return Run(
        trainer=trainer,
        seed=seed,
        recall_1=figures["recall@1"],
        recall_5=figures["recall@5"],
        recall_10=figures["recall@10"],
        larger_recall_1=larger_recall_1,
        wall_s=cost.wall_s,
        train_s=train_s,
        images_per_s=images_per_s,
        peak_mb=cost.peak_bytes / 1e6,
    )


def searched(data: Path, embed: Callable[[Pixels], Vectors], size: int) -> dict[str, Any]:
    """Recall of the test queries in the test gallery, every image prepared as the service does."""
    queries, gallery = (
        _embedded(read_data(data / "test" / part), embed, size) for part in ("queries", "gallery")
    )
    return retrieval(queries, gallery)


def _embedded(records: list[Record], embed: Callable[[Pixels], Vectors], size: int) -> Labelled:
    images = np.stack([prepare_file(record.path, size).pixels for record in records])
    return Labelled(embed(images), np.array([record.label for record in records], object))


def part_of(data: Path, classes: int, folder: Path) -> Path:
    """A copy of the data with its first classes alone, to see that everything runs."""
    for part in ("train", "test/queries", "test/gallery"):
        for source in sorted((data / part).iterdir())[:classes]:
            shutil.copytree(source, folder / part / source.name)
    return folder


def summary(runs: list[Run]) -> list[list[str]]:
    """Rows of figure, ours, the peer's (mean, least – most over the seeds), ours / the peer's."""
    rows = []
    for name, (title, form) in FIGURES.items():
        cells, means = [], []
        for trainer in (OURS, THEIRS):
            values = [getattr(r, name) for r in runs if r.trainer == trainer]
            known = [value for value in values if value is not None]
            if not known or len(known) < len(values):
                cells.append("–")
                means.append(None)
                continue
            means.append(statistics.mean(known))
            cells.append(f"{means[-1]:{form}} ({min(known):{form}} – {max(known):{form}})")
        ratio = f"{means[0] / means[1]:.3f}" if means[0] is not None and means[1] else "–"
        rows.append([title, *cells, ratio])
    return rows


HEADINGS = ("figure", OURS, THEIRS, "ratio")


def markdown(rows: list[list[str]]) -> str:
    lines = [HEADINGS, ("---", *["---:"] * (len(HEADINGS) - 1)), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    cpu = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": cpu[0] if cpu else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "load_at_start": os.getloadavg()[0],
        "python": platform.python_version(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2", help="one training of both for each")
    parser.add_argument("--config", default="configs/emoji.toml", help='our run; "" for defaults')
    parser.add_argument("--data", type=Path, default=DATA, help="folder with train and test")
    parser.add_argument("--out", type=Path, default=Path("training-benchmark.json"))
    parser.add_argument("--peer-python", type=Path, default=ROOT / ".venv-bench/bin/python")
    parser.add_argument("--peer-options", default="", help='in one word: "--epochs=6"')
    parser.add_argument("--quick", action="store_true", help="few classes and one epoch")
    parser.add_argument("options", nargs="*", help="for gemello train, after --")
    given = parser.parse_args()
    if not given.peer_python.exists():
        raise SystemExit(f"{given.peer_python} does not exist; run `make bench-setup`.")
    if not (given.data / "train").is_dir():
        raise SystemExit(f"{given.data} has no train; run `python examples/emoji/fetch.py`.")
    options = [*(("--config", given.config) if given.config else ()), *given.options]
    peer_options = given.peer_options.split()
    if given.quick:
        options += ["--epochs", "1"]
        peer_options += ["--epochs", "1"]
    facts = {"machine": machine(), "options": options, "peer_options": peer_options}
    runs: list[Run] = []
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = part_of(given.data, QUICK_CLASSES, scratch / "data") if given.quick else given.data
        for turn, seed in enumerate(int(seed) for seed in given.seeds.split(",")):
            # Whoever goes first finds the machine as the other left it, so they take turns.
            for trainer in (OURS, THEIRS) if turn % 2 == 0 else (THEIRS, OURS):
                place = scratch / f"{trainer}-{seed}"
                place.mkdir()
                if trainer == OURS:
                    runs.append(ours(data, seed, options, place))
                else:
                    runs.append(theirs(data, seed, peer_options, place, given.peer_python))
                shutil.rmtree(place)
                # After each, so that an interrupted benchmark keeps what it has.
                given.out.write_text(
                    json.dumps({**facts, "runs": [asdict(run) for run in runs]}, indent=2) + "\n"
                )
    rows = summary(runs)
    table = Table(*HEADINGS, title=f"{len(runs) // 2} seeds: mean (least – most)")
    for row in rows:
        table.add_row(*row)
    Console(stderr=True).print(table)
    print(markdown(rows))


if __name__ == "__main__":
    main()
