"""What the system knows of a process."""

from pathlib import Path


def resident_mb(pid: int) -> float:
    """Return the memory that a process and its children have resident, in MB."""
    return sum(_resident_kb(one) for one in family(pid)) / 1024


def family(pid: int) -> list[int]:
    """Return the process and all that descend from it, as far as they still run."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    tasks = Path(f"/proc/{pid}/task")
    try:
        # A child belongs to the thread that made it.
        below = [
            int(child)
            for task in tasks.iterdir()
            for child in (task / "children").read_text().split()
        ]
    except (FileNotFoundError, ProcessLookupError):
        return [pid] if children.exists() else []
    return [pid, *(descendant for child in below for descendant in family(child))]


def _resident_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))
