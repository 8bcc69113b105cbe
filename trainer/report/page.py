"""Writes the page and the pictures of a report."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined

from trainer.errors import ReportError
from trainer.evaluate.bootstrap import RESAMPLES
from trainer.evaluate.comparison import compare
from trainer.evaluate.measurement import on_same_queries
from trainer.report import plots, scatter
from trainer.report.classes import class_table
from trainer.report.content import Report
from trainer.report.figures import figure_rows, headline, recall_rows, too_few_classes
from trainer.report.plots import Plot
from trainer.report.sheets import sheets
from trainer.report.text import clean, common_folder, shown, table_rows
from trainer.report.theme import DARK, LIGHT
from trainer.report.thumbnails import Thumbnails, data_uri

_MOST_FILES = 200


def write_report(path: Path, report: Report, thumbnails: Thumbnails | None = None) -> None:
    """Write one HTML page: styles and images inside, no script, nothing fetched.

    ``thumbnails`` are read from the measured files where none are given. The page appears whole or
    not at all. Raises ``ReportError`` when it cannot be written.
    """
    page = render(report, thumbnails)
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as exc:
        with suppress(OSError):
            temporary.unlink()
        raise ReportError(f"The report cannot be written to {path} ({exc.strerror}).") from exc


def write_pngs(folder: Path, report: Report, thumbnails: Thumbnails | None = None) -> None:
    """Write the plots and the map as PNGs into ``folder``, which is made. Raises ``ReportError``."""
    report = _aligned(report)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plot in _plots(report):
            (folder / f"{plot.name}.png").write_bytes(plot.draw(LIGHT))
        drawn = scatter.draw(scatter.points(report.after), thumbnails or Thumbnails(), LIGHT)
        (folder / "map.png").write_bytes(scatter.png(drawn))
    except OSError as exc:
        raise ReportError(f"Plots cannot be written to {folder} ({exc.strerror}).") from exc


def render(report: Report, thumbnails: Thumbnails | None = None) -> str:
    """Return the page as text; of two models, on the queries that both could read."""
    report = _aligned(report)
    comparison = compare(report.before, report.after, report.names) if report.before else None
    environment = Environment(
        loader=PackageLoader("trainer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = clean
    thumbnails = thumbnails or Thumbnails()
    folder = common_folder(report.after.files)
    bad = [(shown(file, folder), shown(why, folder)) for file, why in _bad(report).items()]
    duplicates = [shown(line, folder) for line in report.data.get("duplicates", ())]
    return environment.get_template("page.html.j2").render(
        report=report,
        names=[clean(name) for name in report.names],
        headline=headline(report, comparison),
        model=table_rows(report.model),
        rows=figure_rows(report, comparison),
        recall_rows=recall_rows(report),
        resamples=RESAMPLES,
        few=too_few_classes(report.after),
        curves=[_shown(plot) for plot in plots.curves(report)],
        distances=[_shown(plot) for plot in plots.distances(report)],
        recall=_shown(plots.recall_curve(report)),
        classes=class_table(report),
        sheets=sheets(report, thumbnails),
        map=_map(report, thumbnails),
        counts=table_rows(_counts(report)),
        bad=bad[:_MOST_FILES],
        bad_count=len(bad),
        duplicates=duplicates[:_MOST_FILES],
        duplicate_count=len(duplicates),
        config=table_rows(report.config),
    )


def _aligned(report: Report) -> Report:
    if report.before is None:
        return report
    before, after = on_same_queries(report.before, report.after)
    return replace(
        report, before=before if len(after) else None, after=after if len(after) else report.after
    )


def _plots(report: Report) -> list[Plot]:
    return [*plots.curves(report), *plots.distances(report), plots.recall_curve(report)]


def _shown(plot: Plot) -> dict[str, str]:
    return {
        "title": clean(plot.title),
        "alt": clean(plot.alt),
        "caption": clean(plot.caption),
        "light": data_uri(plot.draw(LIGHT), "image/png"),
        "dark": data_uri(plot.draw(DARK), "image/png"),
    }


def _map(report: Report, thumbnails: Thumbnails) -> dict[str, Any]:
    points = scatter.points(report.after)
    light, dark = (
        data_uri(
            scatter.webp(scatter.draw(points, thumbnails, theme)),
            "image/webp",
        )
        for theme in (LIGHT, DARK)
    )
    return {"light": light, "dark": dark, "images": len(points)}


def _counts(report: Report) -> dict[str, Any]:
    """Counts of the measurement, then the caller's."""
    after = report.after
    others = {k: v for k, v in report.data.items() if k not in {"counts", "bad", "duplicates"}}
    return {
        "queries": len(after),
        "classes": len(set(after.labels.tolist())),
        "gallery": len(after.gallery_paths),
        "without a match": after.without_match,
        "unreadable": len(_bad(report)),
        **report.data.get("counts", {}),
        **others,
    }


def _bad(report: Report) -> dict[str, str]:
    return {**report.after.bad, **report.data.get("bad", {})}
