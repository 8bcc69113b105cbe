"""Everything that a report draws, drawn once: plots in a light and a dark theme, and the map."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from trainer.report import plots, scatter
from trainer.report.content import Report
from trainer.report.plots import Plot
from trainer.report.theme import DARK, LIGHT
from trainer.report.thumbnails import Thumbnails


@dataclass(frozen=True, slots=True)
class DrawnPlot:
    """A plot as PNG in both themes."""

    plot: Plot
    light: bytes
    dark: bytes


@dataclass(frozen=True, slots=True)
class DrawnMap:
    """The map of ``images`` embeddings in both themes."""

    images: int
    light: Image.Image
    dark: Image.Image


@dataclass(frozen=True, slots=True)
class Drawings:
    """The pictures of one report, but for thumbnails."""

    curves: list[DrawnPlot]
    distances: list[DrawnPlot]
    recall: DrawnPlot
    map: DrawnMap

    def write_pngs(self, folder: Path) -> None:
        """Write the light ones into ``folder``, which is made. Raises ``OSError``."""
        folder.mkdir(parents=True, exist_ok=True)
        for drawn in (*self.curves, *self.distances, self.recall):
            (folder / f"{drawn.plot.name}.png").write_bytes(drawn.light)
        (folder / "map.png").write_bytes(scatter.png(self.map.light))


def draw(report: Report, thumbnails: Thumbnails) -> Drawings:
    """Return the plots and the map of ``report``."""
    points = scatter.points(report.after)
    light, dark = (scatter.draw(points, thumbnails, theme) for theme in (LIGHT, DARK))
    return Drawings(
        _drawn(plots.curves(report)),
        _drawn(plots.distances(report)),
        _drawn([plots.recall_curve(report)])[0],
        DrawnMap(len(points), light, dark),
    )


def _drawn(those: Iterable[Plot]) -> list[DrawnPlot]:
    return [DrawnPlot(plot, plot.draw(LIGHT), plot.draw(DARK)) for plot in those]
