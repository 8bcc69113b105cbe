"""Numbers, paths and nested values as text."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from trainer.evaluate.bootstrap import Interval


def table_rows(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Return nested values as rows: ``images › train`` → ``2,226``."""
    lines: list[tuple[str, str]] = []
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            lines += table_rows(value, f"{name} › ")
        else:
            lines.append((clean(name), clean(_text(value))))
    return lines


def _text(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(item) for item in value)
    return str(value)


def percent(value: float) -> str:
    return f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def with_interval(interval: Interval) -> str:
    return f"{percent(interval.value)} (95 % {ends(interval)})"


def ends(interval: Interval) -> str:
    return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}"


def clean(text: str) -> str:
    """Return ``text`` as valid Unicode, which a file's name on Linux need not be."""
    return os.fsencode(text).decode(errors="replace")


def common_folder(files: Iterable[Path]) -> str:
    """Return the folder that all ``files`` lie in; empty where they have none in common."""
    try:
        folder = os.path.commonpath([str(path.parent) for path in files])
    # Paths with a root and paths without have nothing in common.
    except ValueError:
        return ""
    return "" if folder in {"", os.sep} else folder


def shown(text: Path | str, folder: str) -> str:
    """Return ``text`` without ``folder``: where somebody keeps the images means nothing elsewhere."""
    return clean(str(text).replace(f"{folder}{os.sep}", "") if folder else str(text))
