"""The plots of a report, drawn by matplotlib's own objects: no state is shared, no window opened."""

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from sklearn.metrics import roc_auc_score

from app.bundle.tail import allowed
from trainer.evaluate.false_alarms import RATE
from trainer.evaluate.measurement import Measurement
from trainer.report.content import Report
from trainer.report.theme import Theme, figure, label

_DPI = 150
_SMALL, _LARGE = (3.6, 2.5), (5.2, 3.5)
_K = 50
_BINS = 60

CURVES = {
    "loss": ("Loss", "Falls while the network learns; flat at the margin means a collapse."),
    "recall": ("Validation recall@1", "On classes that are not trained on; dotted: untrained."),
    "active": ("Active fraction", "Part of the pairs or triplets that still teach something."),
    "distance": ("Mean pairwise distance", "Between a batch's embeddings; near 0 is a collapse."),
    "spread": (
        "Spread per dimension",
        "Standard deviation times √D: 1 is as even as can be, near 0 a collapse.",
    ),
    "rank": ("Effective rank", "How many directions of the embedding are in use."),
}
_PARTS = {"recall", "active"}


@dataclass(frozen=True, slots=True)
class Plot:
    """``draw`` gives a PNG in a theme's colours; ``alt`` says what it shows to who cannot see it."""

    name: str
    title: str
    alt: str
    caption: str
    draw: Callable[[Theme], bytes]


def curves(report: Report) -> list[Plot]:
    """Return a plot of each figure that the epochs have."""
    plots = []
    for key, (title, caption) in CURVES.items():
        values = [epoch.get(key) for epoch in report.history]
        numbers = np.array([np.nan if v is None else float(v) for v in values], np.float64)
        known = numbers[np.isfinite(numbers)]
        if not len(known):
            continue
        plots.append(
            Plot(
                f"curve_{key}",
                title,
                f"{title} by epoch: from {known[0]:.3g} to {known[-1]:.3g}, "
                f"least {known.min():.3g}, most {known.max():.3g}",
                caption,
                partial(_curve, report=report, key=key, values=numbers),
            )
        )
    return plots


def distances(report: Report) -> list[Plot]:
    """Return plots of matches against non-matches, of ``after`` first; both on the same axis."""
    plots = []
    drawn = [m.pairs for m, _ in _measured(report)]
    farthest = [float(d.max()) for p in drawn for d in (p.positive, p.negative) if len(d)]
    searched = len(report.after.gallery_paths)
    tail = report.calibration.tail if report.calibration else None
    reach = tail.reach(allowed(RATE), searched) if tail else None
    top = max(*farthest, reach or 0) or 1.0
    for measurement, name in _measured(report):
        if not len(measurement.pairs.positive) or not len(measurement.pairs.negative):
            continue
        after = measurement is report.after
        threshold = reach if after else None
        caption = (
            f"A match is nearer than a non-match in {100 * separation(measurement):.1f} % of draws."
        )
        if threshold is not None:
            below = [
                100 * float((d < threshold).mean())
                for d in (measurement.pairs.positive, measurement.pairs.negative)
            ]
            caption += (
                f" Up to distance {threshold:.3f} the model's calibration calls a result of a search "
                f"among {searched:,} images a match: {below[0]:.1f} % of the matches and "
                f"{below[1]:.2g} % of the non-matches lie below."
            )
        plots.append(
            Plot(
                "distances_after" if after else "distances_before",
                f"Distances: {name}",
                f"Histogram of the distances of matches and non-matches, {name}. {caption}",
                caption,
                partial(_histogram, measurement=measurement, threshold=threshold, top=top),
            )
        )
    return plots


def recall_curve(report: Report) -> Plot:
    """Return recall@k for k = 1 … 50."""
    count = min(_K, max(len(report.after.gallery_paths), 2))
    lines = [(recalls(m, count), name) for m, name in _measured(report)]
    shown = "; ".join(
        f"{name} {values[0]:.1%} at 1 and {values[-1]:.1%} at {count}" for values, name in lines
    )
    return Plot(
        "recall_at_k",
        "Recall@k",
        f"Recall at k from 1 to {count}: {shown}",
        "Part of the queries with a right answer among their first k.",
        partial(_recall, lines=lines),
    )


def recalls(measurement: Measurement, count: int) -> npt.NDArray[np.float64]:
    """Return recall@1 … recall@count, float64 [count]."""
    reached = np.bincount(np.minimum(measurement.ranks, count + 1), minlength=count + 2)
    return reached[1 : count + 1].cumsum() / len(measurement)


def separation(measurement: Measurement) -> float:
    """Return P(a match is nearer than a non-match), ties by half: the area under the ROC curve."""
    positive, negative = measurement.pairs.positive, measurement.pairs.negative
    matches = np.repeat([1, 0], [len(positive), len(negative)])
    return float(roc_auc_score(matches, -np.concatenate([positive, negative])))


def _measured(report: Report) -> list[tuple[Measurement, str]]:
    before = [(report.before, report.names[0])] if report.before else []
    return [(report.after, report.names[1]), *before]


def _curve(theme: Theme, report: Report, key: str, values: npt.NDArray[np.float64]) -> bytes:
    drawn, axes = figure(theme, *_SMALL, size=9)
    epochs = np.arange(1, len(values) + 1)
    axes.plot(epochs, values, color=theme.first, linewidth=2, marker="o", markersize=3)
    if key == "recall" and report.untrained_recall is not None:
        axes.axhline(report.untrained_recall, color=theme.second, linewidth=1.5, linestyle=":")
    axes.set_xlim(0.5, len(values) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if key in _PARTS:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    else:
        # Room above: a curve that hardly changes would run along the frame.
        axes.set_ylim(0, 1.1 * np.nanmax(values) or 1)
    label(axes, theme, 9, xlabel="epoch")
    return _png(drawn)


def _histogram(
    theme: Theme, measurement: Measurement, threshold: float | None, top: float
) -> bytes:
    drawn, axes = figure(theme, *_LARGE, size=11)
    pairs = measurement.pairs
    edges = np.linspace(0, top, _BINS + 1)
    for values, name, colour, hatch in (
        (pairs.positive, "matches", theme.first, ""),
        (pairs.negative, "non-matches", theme.second, "////"),
    ):
        axes.hist(
            values,
            edges,
            weights=np.full(len(values), 1 / len(values)),
            histtype="stepfilled",
            facecolor=f"{colour}55",
            edgecolor=colour,
            hatch=hatch,
            linewidth=1.5,
            label=name,
        )
    if threshold is not None:
        axes.axvline(threshold, color=theme.ink, linewidth=2, linestyle="--", label="threshold")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    label(axes, theme, 11, xlabel="Euclidean distance", ylabel="part of the pairs")
    _legend(axes, theme, "lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, frameon=False)
    return _png(drawn)


def _recall(theme: Theme, lines: Sequence[tuple[npt.NDArray[np.float64], str]]) -> bytes:
    drawn, axes = figure(theme, *_LARGE, size=11)
    styles = ((theme.first, "-"), (theme.second, "--"))
    for (values, name), (colour, style) in zip(lines, styles, strict=False):
        k = np.arange(1, len(values) + 1)
        axes.plot(k, values, color=colour, linestyle=style, linewidth=2.5, label=name)
    axes.set_xscale("log")
    ticks = [k for k in (1, 2, 5, 10, 20, 50) if k <= len(lines[0][0])]
    axes.set_xticks(ticks, [str(k) for k in ticks])
    axes.set_xticks([], minor=True)
    axes.set_ylim(top=1.01)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    label(axes, theme, 11, xlabel="k, answers looked at", ylabel="recall@k")
    _legend(axes, theme, "lower right")
    return _png(drawn)


def _legend(axes: Any, theme: Theme, place: str, **more: Any) -> None:
    axes.legend(
        loc=place,
        fontsize=11,
        labelcolor=theme.ink,
        facecolor=theme.paper,
        edgecolor=theme.line,
        framealpha=0.85,
        **more,
    )


def _png(drawn: Figure) -> bytes:
    out = io.BytesIO()
    # Without matplotlib's own name and version in the file, equal data give equal files.
    drawn.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()
