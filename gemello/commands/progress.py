"""The progress bar of the commands that count images."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _SpeedColumn(ProgressColumn):
    def render(self, task: Task) -> Text:
        # Not known before the first images are through.
        return Text(f"{task.speed:.0f} images/s" if task.speed else "", justify="right")


def bar(what: str, console: Console | None = None) -> Progress:
    """What is done, of how many, how fast, and how long it will take; on standard error."""
    return Progress(
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )
