"""How much memory this process may use: the machine's, or less where a container or a limit says so."""

import contextlib
import os
import resource
from collections.abc import Iterator
from pathlib import Path

_CGROUPS = Path("sys/fs/cgroup")
# Enough for 50 megapixels of most kinds; of WebP, which takes most, for 30.
_LEAST = 512_000_000


def default_decode_memory() -> int:
    """Return the bytes that decoding may take where no setting says so."""
    return max(usable_memory() // 4, _LEAST)


def usable_memory(root: Path = Path("/")) -> int:
    """Return bytes: the least of the machine's memory, the limits of its control groups and ``ulimit``.

    ``root`` is where ``/proc`` and ``/sys`` lie.
    """
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    finite = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return min([machine, *finite, *_group_limits(root)])


def _group_limits(root: Path) -> Iterator[int]:
    """The limit of each control group that this process is in, up to the topmost; both versions of them."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, group = line.split(":", 2)
        if not controllers:
            top, name = root / _CGROUPS, "memory.max"
        elif "memory" in controllers.split(","):
            top, name = root / _CGROUPS / "memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the group may be named as the host sees it, while only the topmost is there.
        folder = top / group.lstrip("/")
        for place in (folder, *folder.parents):
            # No file, or ``max``: no limit there.
            with contextlib.suppress(OSError, ValueError):
                yield int((place / name).read_text())
            if place == top:
                break
