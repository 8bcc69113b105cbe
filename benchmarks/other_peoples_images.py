"""Training with the defaults on images that nobody here made: five sets, classes not trained on.

    make setup-train, and the images as examples/default_model/README.md says
    .venv/bin/python benchmarks/other_peoples_images.py [--seeds 0,1,2] [--sets grocery,things] [-- OPTIONS]

For each set and seed ``gemello train`` runs as it is, with what follows ``--``, and is then asked for
classes that it did not see, beside the best that its backbone does without labels: its features
whitened on the same images. A class is trained on or asked for by a hash of its name; 1,500 images
at most are trained on, as many of each class. Prints a Markdown table, and writes every figure as JSON.
"""

import argparse
import csv
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from processes import measure

from app.bundle.encoder import Encoder
from app.bundle.model_store import Bundle, resolve
from app.bundle.runtimes import load_encoder
from benchmarks.default_model.sources import DATA
from gemello.image_folder import image_files
from gemello.progress import say
from trainer.config import read_config
from trainer.data.records import Record
from trainer.evaluate.comparison import compare, p
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_queries, measure_records
from trainer.evaluate.whitened import whitened_on
from trainer.network import embedder as network

ROOT = Path(__file__).resolve().parent.parent
TEST = DATA / "test"
MOST = 1500


@dataclass(frozen=True, slots=True)
class Images:
    """What a set trains on, and how it is asked for what it did not."""

    train: list[Record]
    ask: Callable[[Encoder], Measurement]


@dataclass(frozen=True, slots=True)
class Run:
    """One training beside the baseline; differences in points, with the paired bootstrap's p-value."""

    data: str
    seed: int
    published: str
    images: int
    minutes: float
    recall_1: tuple[float, float]
    map_at_r: tuple[float, float]
    recall_p: str
    map_p: str


def digest(text: str) -> str:
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def by_class(folders: list[Path], share: float) -> Images:
    """The classes of ``folders``, named by their images' own folders: ``share`` of them to train on."""
    missing = next((root for root in folders if not root.is_dir()), None)
    if missing:
        sys.exit(f"{missing} is missing; examples/default_model/README.md says how to get it.")
    records = [Record(path, path.parent.name) for root in folders for path in image_files(root)]
    names = sorted({record.label for record in records}, key=digest)
    trained = set(names[: round(share * len(names))])
    each = -(-MOST // len(trained))
    asked = _few([r for r in records if r.label not in trained], each)
    return Images(
        _few([r for r in records if r.label in trained], each),
        lambda encoder: measure_records(encoder, asked),
    )


def _few(records: list[Record], each: int) -> list[Record]:
    """At most ``each`` images of a class, by a hash of their names."""
    taken: dict[str, int] = {}
    few = []
    for record in sorted(records, key=lambda r: digest(f"{r.label}/{r.path.name}")):
        taken[record.label] = taken.get(record.label, 0) + 1
        if taken[record.label] <= each:
            few.append(record)
    return few


def emoji() -> Images:
    train = DATA / "train" / "emoji"
    records = [Record(path, path.parent.name) for path in image_files(train)]
    tested = TEST / "emoji"
    return Images(records, lambda e: measure_queries(e, tested / "queries", tested / "gallery"))


SETS: dict[str, Callable[[], Images]] = {
    "emoji": emoji,
    "grocery": lambda: by_class([TEST / "grocery" / "dataset" / "train"], 65 / 81),
    "clothing": lambda: by_class([TEST / "clothing" / "train"], 0.5),
    "things": lambda: by_class([TEST / "things" / "101_ObjectCategories"], 0.5),
    "cut-out photographs": lambda: by_class([TEST / "stamps"], 0.5),
}


def train(
    data: Path, name: str, seed: int, options: list[str], scratch: Path
) -> tuple[Bundle, float]:
    """A published bundle, and the minutes of the whole command."""
    command = [sys.executable, "-m", "gemello", "train", str(data), "--name", name]
    places = ["--store", str(scratch / "store"), "--cache", str(scratch / "cache")]
    # A benchmark wants the figures of a failure as well.
    cost = measure([*command, *places, "--seed", str(seed), "--force", *options], ROOT, os.environ)
    return resolve(scratch / "store", f"{name}/1"), cost.wall_s / 60


def run(name: str, seed: int, options: list[str]) -> Run:
    images = SETS[name]()
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        data = scratch / "train.csv"
        with data.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.writer(stream)
            writer.writerow(("path", "label"))
            writer.writerows((record.path, record.label) for record in images.train)
        trained, minutes = train(data, "trained", seed, options, scratch)
        config = read_config(trained.manifest.training["config"]).network
        untrained = KerasEncoder(network.untrained(config))
        plain = whitened_on(untrained, [record.path for record in images.train])
        before, after = (images.ask(encoder) for encoder in (plain, load_encoder(trained)))
    rows = {row.figure: row for row in compare(before, after, ("untrained", "trained")).rows}
    ladder = trained.manifest.training["history"]["ladder"]
    recall, precision = rows["recall@1"], rows["map@r"]
    return Run(
        name,
        seed,
        next(rung["name"] for rung in ladder if rung["published"]),
        len(images.train),
        round(minutes, 2),
        (round(recall.first.value, 4), round(recall.second.value, 4)),
        (round(precision.first.value, 4), round(precision.second.value, 4)),
        p(recall.difference),
        p(precision.difference),
    )


def markdown(runs: list[Run]) -> str:
    header = (*("set", "seed", "images", "published", "recall@1", "", "MAP@R", "", "minutes"),)
    rows = [
        (
            done.data,
            str(done.seed),
            f"{done.images:,}",
            done.published,
            " → ".join(f"{value:.3f}" for value in done.recall_1),
            done.recall_p,
            " → ".join(f"{value:.3f}" for value in done.map_at_r),
            done.map_p,
            f"{done.minutes:.1f}",
        )
        for done in runs
    ]
    lines = [header, ("---",) * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--out", type=Path, default=Path("other-peoples-images.json"))
    parser.add_argument("options", nargs="*", help="for gemello train, after --")
    given = parser.parse_args()
    runs: list[Run] = []
    for name in given.sets.split(","):
        for seed in given.seeds.split(","):
            runs.append(run(name, int(seed), given.options))
            say(markdown(runs[-1:]).splitlines()[-1])
            given.out.write_text(json.dumps([asdict(done) for done in runs], indent=2) + "\n")
    print(markdown(runs))


if __name__ == "__main__":
    main()
