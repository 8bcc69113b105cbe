"""A published model beside its untrained backbone, on pictures that its training never saw.

The backbone's features are those of several depths, whitened on each check's own gallery without labels.

    .venv/bin/python -m benchmarks.default_model [--model default] [--sizes 128,160,192,224]

Three kinds of checks: the same symbol in another rendering, the original of an edited copy, and photographs
of the same kind of thing. Figures come with 95 % bootstrap intervals, and the paired bootstrap of
trained less untrained says whether a difference is shown. With ``--sizes`` both are measured at
other input sizes too. ``examples/default_model/README.md`` has the commands that get the pictures;
a set that is missing is named, and the exit status is 1.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from app.bundle.model_store import Bundle, resolve
from app.config import load_settings
from app.errors import GemelloError
from benchmarks.default_model.checks import Check, Missing, find_checks
from benchmarks.default_model.encoder_speed import measure_speed
from benchmarks.default_model.scores import measure
from benchmarks.default_model.sources import DATA, sources
from benchmarks.default_model.tables import AtSize, as_json, quality_grid, size_grid
from gemello.commands.tensorflow import load_tensorflow
from gemello.progress import say, track


def sizes(text: str) -> list[int]:
    """``128,160`` → [128, 160]. Raises ``ArgumentTypeError``."""
    parts = text.split(",")
    if not all(part.strip().isdecimal() and 32 <= int(part) <= 1024 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of sides in pixels, 32 to 1024")
    return sorted({int(part) for part in parts})


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="default", help="published model: name or name/version")
    parser.add_argument("--store", type=Path, help="folder of published models")
    parser.add_argument("--data", type=Path, default=DATA, help="what fetch.py wrote")
    parser.add_argument("--grocery", type=Path, help="clone of GroceryStoreDataset")
    parser.add_argument("--clothing", type=Path, help="clone of clothing-dataset-small")
    parser.add_argument("--things", type=Path, help="clone of Homework2-Caltech101")
    parser.add_argument("--sizes", type=sizes, help="input sides to measure, the model's own too")
    parser.add_argument("--each", type=int, default=3, help="originals edited of each folder")
    parser.add_argument("--seed", type=int, default=0, help="of the edits and their originals")
    parser.add_argument("--json", type=Path, help="file for all figures")
    parser.add_argument("--markdown", action="store_true", help="print Markdown for a model card")
    parser.add_argument(
        "--allow-missing", action="store_true", help="status 0 though pictures are missing"
    )
    return parser.parse_args(arguments)


def measure_size(bundle: Bundle, size: int, checks: list[Check]) -> AtSize:
    # It imports TensorFlow, which takes seconds.
    from benchmarks.default_model.model_sizes import encoders_at

    with tempfile.TemporaryDirectory() as scratch:
        untrained, trained = encoders_at(bundle, size, Path(scratch))
        first, second = measure_speed((untrained, trained))
        total = sum(len(check.queries) + len(check.gallery or ()) for check in checks)
        with track(f"{size} px", total) as advance:
            results = [
                result for check in checks for result in measure(check, untrained, trained, advance)
            ]
    return AtSize(size, results, (first, second))


def show(measured: list[AtSize], own: int, title: str, markdown: bool) -> None:
    names = ("untrained", title)
    grids = [quality_grid(at, names) for at in measured if at.size == own]
    grids.append(size_grid(measured, names))
    # A pipe has no width of its own; the table's is that of its longest cells.
    console = Console(width=None if sys.stdout.isatty() else 180)
    for grid in grids:
        if markdown:
            print(grid.markdown(), end="\n\n")
        else:
            console.print(grid.rich())


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    try:
        bundle = resolve(given.store or load_settings().model_store, given.model)
        where = sources(given.data, given.grocery, given.clothing, given.things)
        checks, missing = find_checks(where, given.each, given.seed)
        tell(missing)
        if not checks:
            sys.exit("There is nothing to check with.")
        load_tensorflow()
        own = bundle.manifest.input_size
        wanted = sorted({own, *(given.sizes or [])})
        measured = [measure_size(bundle, size, checks) for size in wanted]
    except GemelloError as exc:
        sys.exit(str(exc))
    show(measured, own, bundle.title, given.markdown)
    if given.json:
        document = {
            "model": bundle.title,
            "model_id": bundle.manifest.model_id,
            "dimension": bundle.manifest.dimension,
            "backbone": bundle.manifest.backbone.name,
            "seed": given.seed,
            "missing": [str(item) for item in missing],
            "sizes": as_json(measured),
        }
        given.json.write_text(json.dumps(document, indent=1) + "\n")
    tell(missing)
    if missing and not given.allow_missing:
        sys.exit(1)


def tell(missing: list[Missing]) -> None:
    for item in missing:
        say(f"NOT CHECKED {item}")


if __name__ == "__main__":
    main()
