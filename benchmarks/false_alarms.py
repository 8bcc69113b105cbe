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
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.config import load_settings
from app.errors import GemelloError
from app.gallery.calibration import SAMPLE, judge, learnt
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
    """Embeddings float32 [N, D] and labels [N]."""

    vectors: Vectors
    labels: Labels


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Images of one kind; without ``queries`` some of the gallery's are taken out and asked for."""

    name: str
    gallery: Images
    queries: Images | None


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """Distances of the nearest image to queries without a match, of true matches, and the gallery."""

    strangers: Distances
    matches: Distances
    gallery: Images


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
) -> Iterator[tuple[Trial, int]]:
    """Yield trials, and how many images of the gallery are of the kind."""
    names = np.unique(kind.gallery.labels)
    for _ in range(count):
        inside = rng.permutation(names)[: len(names) // 2]
        gallery, asked = _divided(kind, inside, rng)
        own = min(size, len(gallery.labels))
        more = rng.permutation(len(fill.labels))[: size - own]
        searched = Images(
            np.concatenate([gallery.vectors[:own], fill.vectors[more]]),
            np.concatenate([gallery.labels[:own], fill.labels[more]]),
        )
        order = rng.permutation(len(searched.labels))
        searched = Images(searched.vectors[order], searched.labels[order])
        if len(order) < size:
            return
        outside = ~np.isin(asked.labels, inside)
        known = np.isin(asked.labels, searched.labels)
        strangers = asked.vectors[outside][:QUERIES]
        queries, labels = asked.vectors[known][:QUERIES], asked.labels[known][:QUERIES]
        far = distances(queries, searched.vectors)
        yield (
            Trial(
                distances(strangers, searched.vectors).min(axis=1),
                far[labels[:, None] == searched.labels],
                searched,
            ),
            own,
        )


def _divided(kind: Kind, inside: Labels, rng: np.random.Generator) -> tuple[Images, Images]:
    """The images of ``inside`` to search, and those to search for, both in random order."""
    order = rng.permutation(len(kind.gallery.labels))
    vectors, labels = kind.gallery.vectors[order], kind.gallery.labels[order]
    kept = np.isin(labels, inside)
    if kind.queries is not None:
        shuffled = rng.permutation(len(kind.queries.labels))
        asked = Images(kind.queries.vectors[shuffled], kind.queries.labels[shuffled])
        return Images(vectors[kept], labels[kept]), asked
    seen: dict[str, int] = {}
    taken = np.zeros(len(labels), bool)
    for place, label in enumerate(labels.tolist()):
        seen[label] = seen.get(label, 0) + 1
        taken[place] = seen[label] <= _ASKED
    taken |= ~kept
    return Images(vectors[~taken], labels[~taken]), Images(vectors[taken], labels[taken])


def distances(queries: Vectors, gallery: Vectors) -> Distances:
    """Euclidean distances float64 [N, M]."""
    apart = (queries**2).sum(axis=1)[:, None] + (gallery**2).sum(axis=1) - 2 * queries @ gallery.T
    return np.sqrt(np.maximum(apart.astype(np.float64), 0))


def reach(verdict: Verdict) -> float:
    """The greatest distance that is called a match, found by halving."""
    low, high = 0.0, 4.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if verdict.match(middle) else (low, middle)
    return low


def measured(
    found: Sequence[tuple[Trial, int]], kind: str, calibration: Calibration | None, labelled: bool
) -> Row | None:
    """All trials of a size together; None where there is no verdict."""
    alarms: list[npt.NDArray[np.bool_]] = []
    kept, allowed, same, true, source = 0, 0, 0, 0, ""
    for trial, _ in found:
        some = trial.gallery.vectors[:SAMPLE]
        labels = trial.gallery.labels[:SAMPLE].tolist()
        sample = learnt(some, labels if labelled else [None] * len(labels))
        verdict = judge(sample, calibration, len(trial.gallery.labels), FALSE_ALARMS)
        if verdict.source is None:
            return None
        source, limit = verdict.source, reach(verdict)
        alarms.append(trial.strangers <= limit)
        kept += int((trial.matches <= limit).sum())
        allowed += int((trial.matches <= np.quantile(trial.strangers, FALSE_ALARMS)).sum())
        rate = float(alarms[-1].mean())
        same += int((trial.matches <= np.quantile(trial.strangers, rate)).sum())
        true += len(trial.matches)
    every = np.concatenate(alarms)
    low, high = interval(int(every.sum()), len(every))
    return Row(
        kind,
        len(found[0][0].gallery.labels),
        found[0][1],
        "yes" if labelled else "no",
        source,
        len(every),
        float(every.mean()),
        low,
        high,
        kept / max(true, 1),
        kept / allowed if allowed else math.nan,
        kept / same if same else math.nan,
    )


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
    )


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
        found, rest = kinds(given.data, Vectoriser(load_encoder(bundle), given.cache), given.seed)
    except GemelloError as exc:
        sys.exit(str(exc))
    rows = []
    for kind in found:
        fill = joined([*(every(each) for each in found if each is not kind), rest])
        for size in map(int, given.sizes.split(",")):
            rng = np.random.default_rng(given.seed)
            drawn = list(trials(kind, fill, size, given.trials, rng))
            for labelled in (True, False):
                row = drawn and measured(drawn, kind.name, bundle.manifest.calibration, labelled)
                if row:
                    rows.append(row)
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
