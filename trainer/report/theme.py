"""Colours of the plots, on light and on dark paper.

Blue and orange of Okabe & Ito, "Color Universal Design" (2008), which colour-blind people can tell
apart; where two things share a plot, they differ in line or hatching as well.
"""

from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

Axes = Any


@dataclass(frozen=True, slots=True)
class Theme:
    paper: str
    ink: str
    quiet: str
    line: str
    first: str
    second: str


LIGHT = Theme("#ffffff", "#1c2330", "#5c6678", "#d9dee8", "#0072b2", "#d55e00")
DARK = Theme("#1c2230", "#e8ebf2", "#9aa5b8", "#3a4458", "#56b4e9", "#e69f00")


def figure(theme: Theme, width: float, height: float, size: float) -> tuple[Figure, Axes]:
    """Return an empty plot of ``width`` × ``height`` inches with text of ``size`` points."""
    drawn = Figure(figsize=(width, height), facecolor=theme.paper, layout="constrained")
    FigureCanvasAgg(drawn)
    axes = drawn.add_subplot()
    axes.set_facecolor(theme.paper)
    axes.grid(color=theme.line, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=theme.quiet, labelcolor=theme.ink, labelsize=size)
    for side, spine in axes.spines.items():
        spine.set_visible(side in {"left", "bottom"})
        spine.set_color(theme.quiet)
    return drawn, axes


def label(axes: Axes, theme: Theme, size: float, **words: str) -> None:
    """Write ``xlabel``, ``ylabel`` and ``title`` in the theme's ink."""
    for name, text in words.items():
        kind = {"loc": "left", "fontweight": "bold"} if name == "title" else {}
        getattr(axes, f"set_{name}")(text, fontsize=size, color=theme.ink, **kind)
