"""What came of the trainings, as rows and as Markdown."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from benchmarks.training.trainings import Trained
from trainer.evaluate.comparison import Comparison, compare, p
from trainer.evaluate.measurement import Measurement

_HEADINGS = ("set", "seed", "images", "", "recall@1", "", "MAP@R", "", "minutes", "peak MB")
_FIGURES = ("recall@1", "map@r")


@dataclass(frozen=True, slots=True)
class Row:
    """One model of one seed, asked for classes that it was not trained on.

    The p-values are those of its difference from the untrained backbone, by the paired bootstrap; empty for
    that itself. None where nothing was trained.
    """

    data: str
    seed: str
    images: int
    model: str
    recall_1: float
    recall_p: str
    map_at_r: float
    map_p: str
    minutes: float | None
    peak_mb: float | None


def row(
    data: str,
    seed: int,
    images: int,
    trained: Trained,
    asked: Measurement,
    before: Measurement | None,
) -> Row:
    """Return the row of ``trained``, whose answers are ``asked``, beside those of the untrained backbone."""
    compared = compare(before or asked, asked, ("untrained", trained.name))
    (recall, recall_p), (precision, precision_p) = (_figure(compared, name) for name in _FIGURES)
    return Row(
        data,
        str(seed),
        images,
        trained.name,
        recall,
        recall_p if before else "",
        precision,
        precision_p if before else "",
        trained.cost and round(trained.cost.wall_s / 60, 2),
        trained.cost and round(trained.cost.peak_bytes / 1e6),
    )


def _figure(compared: Comparison, name: str) -> tuple[float, str]:
    found = next(row for row in compared.rows if row.figure == name)
    return round(found.second.value, 4), p(found.difference)


def means(rows: Sequence[Row]) -> list[Row]:
    """Return the mean over the seeds of every set and model; a rung is part of the model's name no more."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for each in rows:
        groups.setdefault((each.data, each.model.partition(":")[0]), []).append(each)
    return [
        replace(
            group[0],
            seed=f"mean of {len(group)}",
            model=model,
            recall_1=statistics.mean(each.recall_1 for each in group),
            recall_p="",
            map_at_r=statistics.mean(each.map_at_r for each in group),
            map_p="",
            minutes=_mean(each.minutes for each in group),
            peak_mb=_mean(each.peak_mb for each in group),
        )
        for (_, model), group in groups.items()
    ]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.mean(known) if known else None


def markdown(rows: Sequence[Row]) -> str:
    """Return a table with headings."""
    lines = [
        _HEADINGS,
        (*("---",) * 4, *("---:", "---") * 2, "---:", "---:"),
        *(
            (
                *(each.data, each.seed, f"{each.images:,}", each.model),
                *(f"{each.recall_1:.3f}", each.recall_p, f"{each.map_at_r:.3f}", each.map_p),
                "" if each.minutes is None else f"{each.minutes:.1f}",
                "" if each.peak_mb is None else f"{each.peak_mb:,.0f}",
            )
            for each in rows
        ),
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
