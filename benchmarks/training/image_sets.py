"""Five sets of images that nobody here made: which classes are trained on, and how the others are asked for."""

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.bundle.encoder import Encoder
from benchmarks.default_model.sources import DATA
from gemello.image_folder import image_files
from trainer.data.records import Record
from trainer.evaluate.measurement import Measurement
from trainer.evaluate.retrieval import measure_queries, measure_records

_TEST = DATA / "test"
# A first gallery of a user's own: what defaults must do well on.
_MOST = 1500


@dataclass(frozen=True, slots=True)
class ImageSet:
    """What a set trains on, and how it is asked for what it did not."""

    train: list[Record]
    ask: Callable[[Encoder], Measurement]


def _digest(text: str) -> str:
    """Draw by the text alone, so that everyone gets the same division."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _by_class(folder: Path, share: float) -> ImageSet:
    """Train on ``share`` of the classes of ``folder``, named by their images' own folders; ask for the others."""
    records = [Record(path, path.parent.name) for path in _images(folder)]
    names = sorted({record.label for record in records}, key=_digest)
    trained = set(names[: round(share * len(names))])
    each = -(-_MOST // len(trained))
    asked = _few([r for r in records if r.label not in trained], each)
    return ImageSet(
        _few([r for r in records if r.label in trained], each),
        lambda encoder: measure_records(encoder, asked),
    )


def _few(records: list[Record], each: int) -> list[Record]:
    """At most ``each`` images of a class, by a hash of their names."""
    taken: dict[str, int] = {}
    few = []
    for record in sorted(records, key=lambda r: _digest(f"{r.label}/{r.path.name}")):
        taken[record.label] = taken.get(record.label, 0) + 1
        if taken[record.label] <= each:
            few.append(record)
    return few


def _emoji() -> ImageSet:
    """Half of the symbols, in all three renderings; of the others one is searched among two."""
    records = [Record(path, path.parent.name) for path in _images(DATA / "train" / "emoji")]
    tested = _TEST / "emoji"
    return ImageSet(records, lambda e: measure_queries(e, tested / "queries", tested / "gallery"))


def _images(folder: Path) -> list[Path]:
    if not folder.is_dir():
        sys.exit(f"{folder} is missing; examples/default_model/README.md says how to get it.")
    return list(image_files(folder))


SETS: dict[str, Callable[[], ImageSet]] = {
    "emoji": _emoji,
    "grocery": lambda: _by_class(_TEST / "grocery" / "dataset" / "train", 65 / 81),
    "clothing": lambda: _by_class(_TEST / "clothing" / "train", 0.5),
    "things": lambda: _by_class(_TEST / "things" / "101_ObjectCategories", 0.5),
    "cut-out photographs": lambda: _by_class(_TEST / "stamps", 0.5),
}
