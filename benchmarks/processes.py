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
    """Seconds from start to end, and bytes: the sum over processes of each one's VmHWM."""

    wall_s: float
    peak_bytes: int


def measure(command: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> Cost:
    """Run ``command`` to its end; its standard error goes to ours. Exits when it fails.

    VmHWM is the kernel's own high-water mark of resident memory, pages of mapped files included, so
    nothing between two looks is missed but the growth of a process's last moments.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        list(command), cwd=cwd, env=dict(environment), stdout=subprocess.DEVNULL
    )
    peaks: dict[int, int] = {}
    try:
        while True:
            for pid in _tree(process.pid):
                peaks[pid] = max(peaks.get(pid, 0), high_water(pid))
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
    return Cost(wall, sum(peaks.values()))


def high_water(pid: int | str) -> int:
    """VmHWM of a process in bytes; 0 when it is gone."""
    try:
        status = (_PROC / str(pid) / "status").read_text()
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def _tree(pid: int) -> Iterator[int]:
    """A process and its descendants, as far as they still run."""
    yield pid
    for listed in _PROC.glob(f"{pid}/task/*/children"):
        try:
            children = listed.read_text().split()
        except OSError:
            continue
        for child in children:
            yield from _tree(int(child))
