"""How many images a model can be adapted to, and what that gains on classes it was not adapted to.

    .venv/bin/python -m benchmarks.adaptation [--model default] [--counts 100,500,3000] [--cache FOLDER]

For each kind of pictures, some classes are put aside at random, and the map is fitted on images of
the others, without labels. MAP@R of each image of the classes put aside, searched in all of those,
before and after, in several draws; the difference comes with a 95 % interval for which whole classes
are drawn. ``examples/default_model/README.md`` has the commands that get the pictures; a kind that is
missing is named. With ``--cache`` vectors are kept, so that another run embeds nothing.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from app.bundle.encoder import Encoder, Vectors
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.bundle.whitening import fit_whitening
from app.config import load_settings
from app.errors import GemelloError
from app.jobs.leave_one_out import Labels, leave_one_out, some_classes
from benchmarks.default_model.checks import Picture
from benchmarks.default_model.scores import embed
from benchmarks.default_model.sources import DATA, Sources, sources
from gemello.image_folder import image_files, label_of
from gemello.progress import say, track
from trainer.evaluate.bootstrap import Difference, difference

Values = npt.NDArray[np.float64]

COUNTS = (30, 100, 200, 500, 1000, 3000)
DRAWS, ASKED = 5, 1500
# Of the classes, those put aside.
SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Gain:
    """MAP@R before, and its difference after a fit on ``images`` of other classes."""

    images: int
    before: float
    gained: Difference


def kinds(where: Sources) -> dict[str, list[Picture]]:
    """Pictures by kind, each with its finest label."""
    grocery, things = where.grocery / "dataset", where.things / "101_ObjectCategories"

    def symbols(root: Path) -> list[Picture]:
        return _named(root, lambda path: label_of(path, root) or "")

    return {
        # One kind of goods lies in two folders, so a folder's own name is the label.
        "grocery": _named(grocery, lambda path: path.parent.name),
        "clothing": [
            picture
            for part in ("train", "validation", "test")
            for picture in _named(where.clothing / part, lambda path: path.parent.name)
        ],
        "stamps": _named(
            where.stamps, lambda path: path.parent.relative_to(where.stamps).as_posix()
        ),
        "emoji": [*symbols(where.emoji / "queries"), *symbols(where.emoji / "gallery")],
        "things": _named(things, lambda path: path.parent.name),
    }


def _named(root: Path, label: Callable[[Path], str]) -> list[Picture]:
    return [Picture(path, label(path)) for path in image_files(root)] if root.is_dir() else []


def gains(
    vectors: Vectors,
    labels: Labels,
    counts: Sequence[int],
    share: float = SHARE,
    draws: int = DRAWS,
) -> list[Gain]:
    """What a fit on each of ``counts`` of ``vectors`` float32 [N, D] gains on classes put aside.

    ``labels`` is [N]. A count that the other classes have too few images for is left out.
    """
    names = np.unique(labels)
    found: dict[int, list[tuple[Values, Values, Labels]]] = {}
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        aside = np.isin(labels, rng.permutation(names)[: max(2, round(share * len(names)))])
        others = rng.permutation(np.flatnonzero(~aside))
        asked = np.flatnonzero(aside)
        asked = asked[some_classes(labels[asked], ASKED, rng)]
        before = leave_one_out(vectors[asked], labels[asked]).map_at_r
        for count in (count for count in counts if count <= len(others)):
            linear = fit_whitening(vectors[others[:count]], vectors.shape[1])
            after = leave_one_out(linear(vectors[asked]), labels[asked]).map_at_r
            found.setdefault(count, []).append((before, after, labels[asked]))
    measured = []
    for count, parts in found.items():
        before, after, classes = (np.concatenate(part) for part in zip(*parts, strict=True))
        measured.append(Gain(count, float(before.mean()), difference(before, after, classes)))
    return measured


def cached(cache: Path | None, kind: str, pictures: Sequence[Picture], encoder: Encoder) -> Vectors:
    """Vectors float32 [N, D] of ``pictures``, from the cache where it has them."""
    path = cache and cache / f"{kind}-{encoder.model_id[:12]}.npy"
    if path and path.exists():
        vectors: Vectors = np.load(path)
        if len(vectors) == len(pictures):
            return vectors
    with track(kind, len(pictures)) as advance:
        (vectors,) = embed([encoder], pictures, advance)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, vectors)
    return vectors


def row(kind: str, gain: Gain) -> str:
    gained = gain.gained
    verdict = ("worse" if gained.high < 0 else "better") if gained.shown else "–"
    return (
        f"| {kind} | {gain.images:,} | {gain.before:.3f} | {gained.value:+.3f} "
        f"| {gained.low:+.3f} … {gained.high:+.3f} | {verdict} |"
    )


def options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="default", help="published model: name or name/version")
    parser.add_argument("--store", type=Path, help="folder of published models")
    parser.add_argument("--data", type=Path, default=DATA, help="what fetch.py wrote")
    parser.add_argument("--counts", default=",".join(map(str, COUNTS)), help="images to fit on")
    parser.add_argument("--aside", type=float, default=SHARE, help="share of the classes put aside")
    parser.add_argument("--kinds", help="kinds to measure, separated by commas; default: all")
    parser.add_argument("--cache", type=Path, help="folder to keep vectors in")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    try:
        bundle = resolve(given.store or load_settings().model_store, given.model)
    except GemelloError as exc:
        sys.exit(str(exc))
    encoder, counts = load_encoder(bundle), [int(part) for part in given.counts.split(",")]
    print(f"{bundle.title}\n\n| kind | fitted on | MAP@R before | gained | 95 % interval | |")
    print("|---|---|---|---|---|---|")
    for kind, pictures in kinds(sources(given.data)).items():
        if given.kinds and kind not in given.kinds.split(","):
            continue
        if not pictures:
            say(
                f"NOT MEASURED {kind}: there are no images; examples/default_model/README.md has them"
            )
            continue
        labels = np.array([picture.label for picture in pictures])
        for gain in gains(
            cached(given.cache, kind, pictures, encoder), labels, counts, given.aside
        ):
            print(row(kind, gain), flush=True)


if __name__ == "__main__":
    main()
