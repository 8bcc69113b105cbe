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


def bar(title: str, console: Console | None = None) -> Progress:
    """Return a bar that shows what is done, of how many, how fast, and how long it takes.

    On standard error, unless there is a ``console``.
    """
    return Progress(
        TextColumn(title),
        BarColumn(),
        MofNCompleteColumn(),
        _SpeedColumn(),
        TimeRemainingColumn(),
        console=console or Console(stderr=True),
    )
