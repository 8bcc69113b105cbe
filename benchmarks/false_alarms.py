"""How often `match` is wrong, and what it misses: false alarms by kind of images and size of gallery.

    .venv/bin/python -m benchmarks.false_alarms [--model default] [--sizes 100,1000,10000]

For each trial the classes of a kind are dealt into two halves. A gallery is drawn from one and searched
for images of both: those of the other half have no match there, and what of them is told of one is a
false alarm. Galleries larger than a kind are filled up with images of the others. What is kept of the
true matches stands beside what one distance would keep that is set with hindsight, on these very
queries: to the rate that is allowed, and to the rate that came out. The pictures are those of
``benchmarks.default_model``.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from app.bundle.encoder import Encoder, Vectors
from app.bundle.manifest import Calibration
from app.bundle.margins import distances
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.config import load_settings
from app.errors import GemelloError
from app.gallery.calibration import SAMPLE, judge
from app.gallery.sample import learn
from app.gallery.verdict import FALSE_ALARMS, Verdict
from benchmarks.default_model.checks import (
    Picture,
    clothes,
    edited_copies,
    emoji,
    shop,
    stamps,
    things,
)
from benchmarks.default_model.scores import embed
from benchmarks.default_model.sources import DATA, sources
from gemello.progress import track

Labels = npt.NDArray[np.str_]
Distances = npt.NDArray[np.float64]

QUERIES = 500
# What is drawn of a class to be asked for, where queries and gallery are the same images.
_ASKED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Images:
    """Embeddings float32 [N, D], labels [N], and the files that they are of [N]."""

    vectors: Vectors
    labels: Labels
    files: Labels

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_]) -> "Images":
        return Images(self.vectors[rows], self.labels[rows], self.files[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Images of one kind; without ``queries`` some of the gallery's are taken out and asked for."""

    name: str
    gallery: Images
    queries: Images | None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A gallery, of which ``own`` images are of the kind, and queries without and with a match."""

    gallery: Images
    own: int
    strangers: Vectors
    queries: Images


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; ``low`` and ``high`` are the 95 % interval of ``false_alarms``."""

    kind: str
    images: int
    own: int
    labels: str
    calibration: str
    queries: int
    false_alarms: float
    low: float
    high: float
    kept: float
    hindsight: float
    same_rate: float


def trials(
    kind: Kind, fill: Images, size: int, count: int, rng: np.random.Generator
) -> Iterator[Trial]:
    """Yield trials in galleries of ``size``; none where there are too few images for them."""
    names = np.unique(kind.gallery.labels)
    for _ in range(count):
        inside = rng.permutation(names)[: len(names) // 2]
        gallery, asked = _divided(kind, inside, rng)
        own = min(size, len(gallery.labels))
        more = rng.permutation(len(fill.labels))[: size - own]
        searched = joined([gallery.take(np.arange(own)), fill.take(more)])
        order = rng.permutation(len(searched.labels))
        searched = searched.take(order)
        if len(order) < size:
            return
        outside = ~np.isin(asked.labels, inside)
        known = np.isin(asked.labels, searched.labels)
        yield Trial(
            searched,
            own,
            asked.vectors[outside][:QUERIES],
            asked.take(np.flatnonzero(known)[:QUERIES]),
        )


def _divided(kind: Kind, inside: Labels, rng: np.random.Generator) -> tuple[Images, Images]:
    """The images of ``inside`` to search, and those to search for, both in random order."""
    images = kind.gallery.take(rng.permutation(len(kind.gallery.labels)))
    kept = np.isin(images.labels, inside)
    if kind.queries is not None:
        return images.take(kept), kind.queries.take(rng.permutation(len(kind.queries.labels)))
    seen: dict[str, int] = {}
    taken = np.zeros(len(kept), bool)
    for place, label in enumerate(images.labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        taken[place] = seen[label] <= _ASKED
    taken |= ~kept
    return images.take(~taken), images.take(taken)


class Tally:
    """Counts over the trials of one line of the table."""

    def __init__(self, kind: str, labelled: bool, calibration: Calibration | None) -> None:
        self._kind, self._labelled, self._calibration = kind, labelled, calibration
        self._images, self._own, self._source = 0, 0, ""
        self._alarms: list[npt.NDArray[np.bool_]] = []
        self._true = self._kept = self._allowed = self._same = 0

    def add(self, trial: Trial, alone: Distances, found: Distances) -> None:
        """Count a trial; distances [N, M] of its queries without and with a match."""
        gallery = trial.gallery
        labels: list[str | None] = [*gallery.labels.tolist()]
        if not self._labelled:
            labels = [None] * len(labels)
        ids = [str(place) for place in range(len(labels))]
        sample = learn(ids[:SAMPLE], labels[:SAMPLE], gallery.vectors[:SAMPLE])
        verdict = judge(sample, self._calibration, len(labels), FALSE_ALARMS)
        if verdict.source is None:
            return
        self._images, self._own, self._source = len(labels), trial.own, verdict.source
        units = np.ones(len(labels))
        if sample.labelled:
            units = sample.labelled.margins(labels, gallery.vectors)
        limit = reach(verdict)
        alarms = (alone / units).min(axis=1) <= limit
        nearest = alone.min(axis=1)
        true = trial.queries.labels[:, None] == gallery.labels
        matches = found[true]
        self._alarms.append(alarms)
        self._true += len(matches)
        self._kept += int(((found / units)[true] <= limit).sum())
        self._allowed += int((matches <= np.quantile(nearest, FALSE_ALARMS)).sum())
        self._same += int((matches <= np.quantile(nearest, alarms.mean())).sum())

    def row(self) -> Row | None:
        """Return the line; None where there was no verdict."""
        if not self._alarms:
            return None
        alarms = np.concatenate(self._alarms)
        low, high = interval(int(alarms.sum()), len(alarms))
        return Row(
            self._kind,
            self._images,
            self._own,
            "yes" if self._labelled else "no",
            self._source,
            len(alarms),
            float(alarms.mean()),
            low,
            high,
            self._kept / max(self._true, 1),
            self._kept / self._allowed if self._allowed else math.nan,
            self._kept / self._same if self._same else math.nan,
        )


def reach(verdict: Verdict) -> float:
    """The greatest distance that is called a match, found by halving."""
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if verdict.match(middle) else (low, middle)
    return low


def interval(hits: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval, JASA 22 (1927): as if queries were drawn one by one."""
    z, part = 1.96, hits / of
    middle = (part + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(part * (1 - part) / of + z * z / (4 * of * of))
    return max(0.0, middle - half), min(1.0, middle + half)


class Vectoriser:
    """Embeds pictures, and keeps the vectors in a file where one is named."""

    def __init__(self, encoder: Encoder, cache: Path | None) -> None:
        self._encoder, self._known = encoder, dict[str, Vectors]()
        self._path = cache / f"{encoder.model_id[:12]}.npz" if cache else None
        if self._path and self._path.exists():
            with np.load(self._path) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def images(self, pictures: Sequence[Picture], kind: str) -> Images:
        keys = [f"{p.path}{(p.edit and f'#{p.edit}/{p.key}') or ''}" for p in pictures]
        missing = [place for place, key in enumerate(keys) if key not in self._known]
        if missing:
            with track(kind, len(missing)) as advance:
                (vectors,) = embed([self._encoder], [pictures[place] for place in missing], advance)
            self._known.update(zip((keys[place] for place in missing), vectors, strict=True))
            if self._path:
                names = list(self._known)
                np.savez(self._path, keys=names, vectors=np.stack([self._known[n] for n in names]))
        return Images(
            np.stack([self._known[key] for key in keys]),
            np.array([f"{kind}/{picture.label}" for picture in pictures]),
            np.array([str(picture.path) for picture in pictures]),
        )


def kinds(data: Path, encode: Vectoriser, seed: int) -> tuple[list[Kind], Images]:
    """The four kinds, and what is left to fill galleries with."""
    where = sources(data)
    found = []
    for check in (
        emoji("symbols", where),
        edited_copies("edited copies", where, 3, seed),
        shop("grocery", where),
        things("things", where, seed),
    ):
        gallery = check.gallery or check.queries
        if check.name == "edited copies":
            asked = {picture.label for picture in check.queries}
            gallery = [picture for picture in gallery if picture.label in asked]
        found.append(
            Kind(
                check.name,
                encode.images(gallery, check.name),
                encode.images(check.queries, check.name) if check.gallery else None,
            )
        )
    others = [
        encode.images([*check.queries, *(check.gallery or ())], check.name)
        for check in (stamps("stamps", where), clothes("clothing", where))
    ]
    return found, joined(others)


def every(kind: Kind) -> Images:
    """All images of a kind, but no edited ones."""
    if kind.queries is None or kind.name == "edited copies":
        return kind.gallery
    return joined([kind.gallery, kind.queries])


def joined(images: Sequence[Images]) -> Images:
    return Images(
        np.concatenate([each.vectors for each in images]),
        np.concatenate([each.labels for each in images]),
        np.concatenate([each.files for each in images]),
    )


def filling(kind: Kind, kinds: Sequence[Kind], rest: Images, data: Path) -> Images:
    """Images of the others, each file once, and none from a folder that ``kind`` is from.

    The originals of edited copies are photographs of groceries, and a picture of what is asked for
    would be no false alarm.
    """
    others = joined([*(every(each) for each in kinds if each is not kind), rest])
    own = {_folder(file, data) for file in every(kind).files.tolist()}
    _, first = np.unique(others.files, return_index=True)
    foreign = [row for row in first.tolist() if _folder(others.files[row], data) not in own]
    return others.take(np.array(foreign, np.int64))


def _folder(file: str, data: Path) -> tuple[str, ...]:
    """The set that a file is of; of the groceries its split, of the emoji all."""
    parts = Path(file).relative_to(data / "test").parts
    return parts[:3] if parts[0] == "grocery" else parts[:1]


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="default", help="published model: name or name/version")
    parser.add_argument("--store", type=Path, help="folder of published models")
    parser.add_argument("--data", type=Path, default=DATA, help="what fetch.py wrote")
    parser.add_argument("--sizes", default="50,100,1000,10000", help="images of the galleries")
    parser.add_argument("--trials", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder to keep vectors in between runs")
    parser.add_argument("--json", type=Path, help="file for all figures")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    try:
        bundle = resolve(given.store or load_settings().model_store, given.model)
        every_kind, rest = kinds(
            given.data, Vectoriser(load_encoder(bundle), given.cache), given.seed
        )
    except GemelloError as exc:
        sys.exit(str(exc))
    rows: list[Row] = []
    for kind in every_kind:
        fill = filling(kind, every_kind, rest, given.data)
        for size in map(int, given.sizes.split(",")):
            rng = np.random.default_rng(given.seed)
            tallies = [
                Tally(kind.name, labelled, bundle.manifest.calibration)
                for labelled in (True, False)
            ]
            for trial in trials(kind, fill, size, given.trials, rng):
                alone = distances(trial.strangers, trial.gallery.vectors)
                found = distances(trial.queries.vectors, trial.gallery.vectors)
                for tally in tallies:
                    tally.add(trial, alone, found)
            rows += [row for tally in tallies if (row := tally.row())]
    Console(width=None if sys.stdout.isatty() else 140).print(table(rows, bundle.title))
    if given.json:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")


def table(rows: Sequence[Row], title: str) -> Table:
    shown = Table(
        *("kind", "images (of the kind)", "labels", "calibration", "queries"),
        *("false alarms (95 %)", "matches kept", "of hindsight at 5 %", "at the same rate"),
        title=f"{title}, one false alarm in twenty allowed",
        title_justify="left",
    )
    for row in rows:
        shown.add_row(
            row.kind,
            f"{row.images:,} ({row.own:,})",
            row.labels,
            row.calibration,
            f"{row.queries:,}",
            f"{100 * row.false_alarms:.1f} % ({100 * row.low:.1f}–{100 * row.high:.1f})",
            f"{row.kept:.3f}",
            f"{row.hindsight:.2f}",
            f"{row.same_rate:.2f}",
        )
    return shown


if __name__ == "__main__":
    main()
