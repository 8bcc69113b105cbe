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
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from app.bundle.margins import distances
from app.bundle.model_store import resolve
from app.bundle.runtimes import load_encoder
from app.config import load_settings
from app.errors import GemelloError
from benchmarks.default_model.sources import DATA
from benchmarks.false_alarms.images import Vectoriser, filling, kinds
from benchmarks.false_alarms.tally import Row, Tally
from benchmarks.false_alarms.trials import trials


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
        *(
            "false alarms (95 %)",
            "matches kept",
            "of hindsight at 5 %",
            "at the same rate",
            "score error",
        ),
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
            f"{row.score_error:.3f}",
        )
    return shown


if __name__ == "__main__":
    main()
