"""Writes the page and the pictures of a report."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined

from trainer.bootstrap import RESAMPLES
from trainer.errors import ReportError
from trainer.measurement import on_same_queries
from trainer.report import plots, scatter, tables
from trainer.report.content import Report
from trainer.report.plots import Plot
from trainer.report.sheets import sheets
from trainer.report.theme import DARK, LIGHT
from trainer.report.thumbnails import Thumbnails, data_uri

_MOST_FILES = 200


def write_report(path: Path, report: Report) -> None:
    """Write one HTML page: styles and images inside, no script, nothing fetched.

    It appears whole or not at all. Raises ``ReportError`` when it cannot be written.
    """
    page = render(report)
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as exc:
        temporary.unlink(missing_ok=True)
        raise ReportError(f"The report cannot be written to {path} ({exc.strerror}).") from exc


def write_pngs(folder: Path, report: Report) -> None:
    """Write the plots and the map as PNGs into ``folder``, which is made. Raises ``ReportError``."""
    report = _aligned(report)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plot in _plots(report):
            (folder / f"{plot.name}.png").write_bytes(plot.draw(LIGHT))
        places = scatter.choose(report.after)
        points = scatter.layout(report.after.embeddings[places])
        drawn = scatter.draw(report.after, places, points, Thumbnails(), LIGHT)
        (folder / "map.png").write_bytes(scatter.png(drawn))
    except OSError as exc:
        raise ReportError(f"Plots cannot be written to {folder} ({exc.strerror}).") from exc


def render(report: Report) -> str:
    """The page as text; of two models, on the queries that both could read."""
    report = _aligned(report)
    environment = Environment(
        loader=PackageLoader("trainer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = tables.clean
    thumbnails = Thumbnails()
    bad = {tables.shown_path(file): tables.clean(why) for file, why in _bad(report).items()}
    return environment.get_template("page.html.j2").render(
        report=report,
        names=[tables.clean(name) for name in report.names],
        headline=tables.headline(report),
        model=tables.facts(report.model),
        rows=tables.figure_rows(report),
        resamples=RESAMPLES,
        few=tables.too_few_classes(report.after),
        curves=[_shown(plot) for plot in plots.curves(report)],
        distances=[_shown(plot) for plot in plots.distances(report)],
        recall=_shown(plots.recall_curve(report)),
        classes=tables.class_table(report),
        sheets=sheets(report, thumbnails),
        map=_map(report, thumbnails),
        counts=tables.facts(_counts(report)),
        bad=list(bad.items())[:_MOST_FILES],
        bad_count=len(bad),
        duplicates=[tables.clean(line) for line in _duplicates(report)[:_MOST_FILES]],
        duplicate_count=len(_duplicates(report)),
        config=tables.facts(report.config),
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
        "title": tables.clean(plot.title),
        "alt": tables.clean(plot.alt),
        "caption": tables.clean(plot.caption),
        "light": data_uri(plot.draw(LIGHT), "image/png"),
        "dark": data_uri(plot.draw(DARK), "image/png"),
    }


def _map(report: Report, thumbnails: Thumbnails) -> dict[str, Any]:
    places = scatter.choose(report.after)
    points = scatter.layout(report.after.embeddings[places])
    light, dark = (
        data_uri(
            scatter.webp(scatter.draw(report.after, places, points, thumbnails, theme)),
            "image/webp",
        )
        for theme in (LIGHT, DARK)
    )
    return {"light": light, "dark": dark, "images": len(places)}


def _counts(report: Report) -> dict[str, Any]:
    """What was measured, then what the caller says of the data."""
    after = report.after
    said = {k: v for k, v in report.data.items() if k not in {"counts", "bad", "duplicates"}}
    return {
        "queries": len(after),
        "classes": len(set(after.labels.tolist())),
        "gallery": len(after.gallery_paths),
        "without a match": after.without_match,
        "unreadable": len(_bad(report)),
        **report.data.get("counts", {}),
        **said,
    }


def _bad(report: Report) -> dict[str, str]:
    return {**report.after.bad, **report.data.get("bad", {})}


def _duplicates(report: Report) -> list[str]:
    return list(report.data.get("duplicates", []))
