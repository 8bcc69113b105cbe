"""Progress bars with rate and time left, for the commands and for the trainer."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gemello.terminal import Terminal

console = Terminal(stderr=True)


class Bar:
    """A bar that is being shown; called with each number that is done, it advances."""

    def __init__(self, progress: Progress, task: TaskID) -> None:
        self._progress, self._task = progress, task

    def __call__(self, count: int) -> None:
        self._progress.advance(self._task, count)
        self._show_rate()

    def set(self, done: int, total: int | None) -> None:
        """Show how much is done in all, of how much where that is known."""
        self._progress.update(self._task, completed=done, total=total)
        self._show_rate()

    def _show_rate(self) -> None:
        speed = self._progress.tasks[self._task].speed
        self._progress.update(self._task, rate=f"{speed:.1f}" if speed else "–")


@contextmanager
def track(
    description: str, total: int | None = None, unit: str = "images", on: Console = console
) -> Iterator[Bar]:
    """Show a bar on standard error while the block runs; ``total`` None: not known yet."""
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{{task.fields[rate]}} {unit}/s"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=on,
    ) as progress:
        yield Bar(progress, progress.add_task(description, total=total, rate="–"))


def say(message: str) -> None:
    """Print a line on standard error."""
    console.print(message, markup=False, highlight=False, soft_wrap=True)
