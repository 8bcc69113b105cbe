"""The content of a report."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.bundle.manifest import Calibration
from trainer.evaluate.measurement import Measurement


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """A measurement, and its context.

    ``before`` is another model on the same queries, as a rule the untrained backbone; ``names`` are
    the titles of the two. ``history`` has a mapping per epoch with any of the keys ``loss``,
    ``active``, ``distance``, ``spread``, ``rank`` and ``recall``; None is a gap.
    ``untrained_recall`` is the untrained backbone's recall on the same validation classes.
    ``ladder`` has a mapping per rung: its ``name``, whether it is ``published``, why it was ``refused`` if it
    was, and, where it was measured, value, low and high of ``recall@1`` and ``map@r`` on the validation classes.
    ``data`` may hold ``counts``, ``bad`` (file → reason) and ``duplicates`` (sentences); its other
    keys, ``config`` and ``model`` are shown as they are. ``comparison`` words the page as one of
    two models side by side, not as one of a training's success.
    """

    title: str
    after: Measurement
    before: Measurement | None = None
    names: tuple[str, str] = ("untrained", "trained")
    history: Sequence[Mapping[str, Any]] = ()
    untrained_recall: float | None = None
    ladder: Sequence[Mapping[str, Any]] = ()
    calibration: Calibration | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    comparison: bool = False
