"""The memory that a process may use, in containers of either kind and in none."""

import os
from pathlib import Path

import pytest

from app.inference.usable_memory import default_decode_memory, usable_memory

MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        ("", {}, MACHINE),
        ("0::/", {"memory.max": "max"}, MACHINE),
        ("0::/", {"memory.max": "1000000"}, 1_000_000),
        ("0::/a/b", {"a/b/memory.max": "max", "a/memory.max": "2000000"}, 2_000_000),
        ("0::/host/name", {"memory.max": "3000000"}, 3_000_000),
        (
            "5:cpu:/\n4:memory:/docker/x\n0::/",
            {"memory/memory.limit_in_bytes": "4000000", "memory.max": "max"},
            4_000_000,
        ),
        ("4:memory:/", {"memory/memory.limit_in_bytes": "9223372036854771712"}, MACHINE),
    ],
)
def test_the_least_limit_counts(
    tmp_path: Path, groups: str, files: dict[str, str], expected: int
) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert usable_memory(tmp_path) == expected


def test_a_system_without_control_groups_has_its_memory(tmp_path: Path) -> None:
    assert usable_memory(tmp_path) == MACHINE
    assert default_decode_memory() >= 512_000_000
