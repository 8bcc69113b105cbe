"""One training of one set, ours or the peer's, in a process of its own, and what comes of it."""

import csv
import io
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from app.bundle.encoder import Encoder, Vectors
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.images.prepare import Pixels
from app.images.square import Resize
from benchmarks.training.processes import Cost, measure
from trainer.config import read_config
from trainer.data.records import Record
from trainer.evaluate.keras_encoder import KerasEncoder
from trainer.evaluate.whitened import whitened_on
from trainer.network import embedder

ROOT = Path(__file__).resolve().parents[2]
PEER = Path(__file__).with_name("peer_metric_learning.py")


@dataclass(frozen=True, slots=True)
class Trained:
    """A model under the name that it has in the table; None where it was not trained."""

    name: str
    encoder: Encoder
    cost: Cost | None


def write_data(records: Sequence[Record], folder: Path) -> Path:
    """Write ``path,label`` of all images, as both trainers read it."""
    data = folder / "train.csv"
    with data.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label"))
        writer.writerows((record.path, record.label) for record in records)
    return data


def ours(
    data: Path, images: Sequence[Path], seed: int, options: Sequence[str], scratch: Path
) -> tuple[Trained, Trained]:
    """Run ``gemello train`` with an empty cache; return what its backbone does without labels, and the bundle."""
    command = [sys.executable, "-m", "gemello", "train", str(data), "--name", "trained"]
    places = ["--store", str(scratch / "store"), "--cache", str(scratch / "cache")]
    # A benchmark wants the figures of a failure as well.
    cost = measure([*command, *places, "--seed", str(seed), "--force", *options], ROOT, os.environ)
    bundle = resolve(scratch / "store", "trained/1")
    training = bundle.manifest.training
    ladder = training["history"]["ladder"]
    published = next(rung["name"] for rung in ladder if rung["published"])
    untrained = KerasEncoder(embedder.untrained(read_config(training["config"]).network))
    return (
        Trained("untrained", whitened_on(untrained, images), None),
        Trained(f"Gemello: {published}", load_encoder(bundle), cost),
    )


def theirs(
    data: Path, seed: int, sides: Sequence[int], python: Path, options: Sequence[str], scratch: Path
) -> Iterator[Trained]:
    """Train the peer once, and yield it for inputs of each of ``sides`` pixels; it embeds until the next."""
    model = scratch / "peer.pt"
    command = [str(python), str(PEER)]
    cost = measure(
        [*command, "train", str(data), str(model), "--seed", str(seed), *options], ROOT, os.environ
    )
    for side in sides:
        with PeerEncoder([*command, "embed", str(model)], side) as encoder:
            yield Trained(f"pytorch-metric-learning at {side} px", encoder, cost)


class PeerEncoder:
    """The peer's weights, in a process of their own.

    An array goes through its pipes as an ``.npy`` file, after eight bytes that say how long it is.
    """

    resize: Resize = "stretch"
    dimension = 256
    model_id = "peer"

    def __init__(self, command: Sequence[str], side: int) -> None:
        self.input_size = side
        self._process = subprocess.Popen(
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def embed(self, images: Pixels) -> Vectors:
        given, taken = self._process.stdin, self._process.stdout
        if given is None or taken is None:
            raise RuntimeError("the process was started without pipes")
        array = io.BytesIO()
        np.save(array, images, allow_pickle=False)
        given.write(array.tell().to_bytes(8) + array.getbuffer())
        given.flush()
        size = int.from_bytes(taken.read(8))
        vectors: Vectors = np.load(io.BytesIO(taken.read(size)), allow_pickle=False)
        return vectors

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
