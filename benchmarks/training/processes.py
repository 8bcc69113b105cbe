"""What a command costs: wall time, and the peak memory of it and all it starts (Linux)."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_EVERY_S = 0.2


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds from start to end, and the most bytes that the command and its children held."""

    wall_s: float
    peak_bytes: int


def measure(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Cost:
    """Run ``command`` to its end; its standard error goes to ours. Exits when it fails.

    Memory is VmHWM, the kernel's own high-water mark of resident memory (pages of mapped files
    included), and on top the pages that children hold for themselves: a forked child shares its
    parent's until it writes to them, and they must not count twice. Looks every 0.2 s.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command), cwd=cwd, env=dict(environment), stdout=subprocess.DEVNULL
    )
    own = peak = 0
    try:
        while True:
            # At its very end a process has no memory any more, and says nothing.
            own = max(own, high_water(process.pid))
            peak = max(peak, own + sum(map(_private, _descendants(process.pid))))
            try:
                process.wait(timeout=_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    wall = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with status {process.returncode}")
    return Cost(wall, peak)


def high_water(pid: int | str) -> int:
    """VmHWM of a process in bytes; 0 when it is gone."""
    return _sum_of(_PROC / str(pid) / "status", "VmHWM:")


def _private(pid: int) -> int:
    """Bytes of the pages that no other process has; 0 when it is gone."""
    return _sum_of(_PROC / str(pid) / "smaps_rollup", "Private_Clean:", "Private_Dirty:")


def _sum_of(path: Path, *names: str) -> int:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(names))


def _descendants(pid: int) -> Iterator[int]:
    """A process's children and theirs, as far as they still run."""
    for listed in _PROC.glob(f"{pid}/task/*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue
        for child in map(int, children):
            yield child
            yield from _descendants(child)
