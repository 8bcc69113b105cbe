"""Writes the page of a report, and its pictures."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined

from trainer.errors import ReportError
from trainer.evaluate.bootstrap import RESAMPLES
from trainer.evaluate.comparison import compare
from trainer.evaluate.false_alarms import false_alarms
from trainer.evaluate.measurement import on_same_queries
from trainer.report import scatter
from trainer.report.classes import class_table
from trainer.report.content import Report
from trainer.report.drawings import Drawings, DrawnMap, DrawnPlot, draw
from trainer.report.figures import figure_rows, headline, ladder_rows, recall_rows, too_few_classes
from trainer.report.sheets import sheets
from trainer.report.text import clean, common_folder, shown, table_rows
from trainer.report.thumbnails import Thumbnails, data_uri

_MOST_FILES = 200


def write_report(
    path: Path,
    report: Report,
    thumbnails: Thumbnails | None = None,
    *,
    pngs: Path | None = None,
) -> None:
    """Write one HTML page: styles and images inside, no script, nothing fetched.

    ``thumbnails`` are made from the measured files where none are given. Where ``pngs`` names a
    folder, the plots and the map are written there as well. The page appears whole or not at all.
    Raises ``ReportError`` when something cannot be written.
    """
    report, thumbnails = _aligned(report), thumbnails or Thumbnails()
    drawings = draw(report, thumbnails)
    page = render(report, drawings, thumbnails)
    temporary = path.with_name(f".{path.name}-{uuid4().hex}")
    try:
        if pngs:
            drawings.write_pngs(pngs)
        temporary.write_text(page, encoding="utf-8")
        temporary.replace(path)
    except OSError as exc:
        with suppress(OSError):
            temporary.unlink()
        raise ReportError(f"The report cannot be written to {path} ({exc.strerror}).") from exc


def render(report: Report, drawings: Drawings, thumbnails: Thumbnails) -> str:
    """Return the page as text."""
    comparison = compare(report.before, report.after, report.names) if report.before else None
    environment = Environment(
        loader=PackageLoader("trainer.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clean"] = clean
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
        ladder=ladder_rows(report),
        resamples=RESAMPLES,
        few=too_few_classes(report.after),
        curves=[_shown(drawn) for drawn in drawings.curves],
        distances=[_shown(drawn) for drawn in drawings.distances],
        false_alarms=_false_alarms(report),
        recall=_shown(drawings.recall),
        classes=class_table(report),
        sheets=sheets(report, thumbnails),
        map=_map(drawings.map),
        counts=table_rows(_counts(report)),
        bad=bad[:_MOST_FILES],
        bad_count=len(bad),
        duplicates=duplicates[:_MOST_FILES],
        duplicate_count=len(duplicates),
        config=table_rows(report.config),
    )


def _aligned(report: Report) -> Report:
    """Of two models, both on the queries that both could read."""
    if report.before is None:
        return report
    before, after = on_same_queries(report.before, report.after)
    return replace(
        report, before=before if len(after) else None, after=after if len(after) else report.after
    )


def _shown(drawn: DrawnPlot) -> dict[str, str]:
    return {
        "title": clean(drawn.plot.title),
        "alt": clean(drawn.plot.alt),
        "caption": clean(drawn.plot.caption),
        "light": data_uri(drawn.light, "image/png"),
        "dark": data_uri(drawn.dark, "image/png"),
    }


def _map(drawn: DrawnMap) -> dict[str, Any]:
    light, dark = (
        data_uri(scatter.webp(image), "image/webp") for image in (drawn.light, drawn.dark)
    )
    return {"light": light, "dark": dark, "images": drawn.images}


def _false_alarms(report: Report) -> list[tuple[str, str, str, str]]:
    """Rows of the table of false alarms, of the measured gallery's images; text."""
    after = report.after
    rows = false_alarms(report.calibration, after.gallery_embeddings, after.gallery_labels, seed=0)
    return [
        (f"{row.images:,}", f"{row.queries:,}", _percent(row.model), _percent(row.gallery))
        for row in rows
    ]


def _percent(part: float | None) -> str:
    return "–" if part is None else f"{100 * part:.1f} %"


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
