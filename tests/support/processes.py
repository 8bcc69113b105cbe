"""A process and its children, watched from outside: how much memory they hold, and when they end."""

import os
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_S = 60


class Watch:
    """The most bytes that were resident since the watch began, and how many at its beginning."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.before = self.most = resident(pid)

    @property
    def rise(self) -> int:
        return self.most - self.before

    def look(self) -> None:
        self.most = max(self.most, resident(self._pid))


@contextmanager
def watched(pid: int) -> Iterator[Watch]:
    """Watch a process and its children, fifty times a second."""
    watch, stop = Watch(pid), threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            watch.look()

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join()


def resident(pid: int) -> int:
    """Bytes resident in a process and its children; what they share with each other counts twice."""
    return sum(_resident(each) for each in (pid, *children(pid)))


def children(pid: int) -> list[int]:
    """The processes that any thread of a process has started."""
    found: list[int] = []
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, tasks.read_text().split())
        except OSError:
            continue
    return found


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def gone(pid: int) -> bool:
    """Whether a process, of whomever, ends before patience does."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], _PATIENCE_S)[0])
    finally:
        os.close(descriptor)


def watch_highest() -> None:
    """Begin anew to note the most memory that this process holds."""
    Path("/proc/self/clear_refs").write_text("5")


def highest() -> int:
    """Bytes that were resident in this process at most since then."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))
