"""Files that hold the same bytes."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def same_bytes(paths: Iterable[Path]) -> list[list[Path]]:
    """Return groups of two or more files with equal SHA-256, in the order of ``paths``.

    Only files of equal size are read; one that cannot be read is in no group.
    """
    by_size: defaultdict[int, list[Path]] = defaultdict(list)
    for path in dict.fromkeys(paths):
        try:
            by_size[path.stat().st_size].append(path)
        except OSError:
            continue
    groups: defaultdict[bytes, list[Path]] = defaultdict(list)
    for alike in by_size.values():
        for path in alike if len(alike) > 1 else ():
            try:
                with path.open("rb") as stream:
                    groups[hashlib.file_digest(stream, "sha256").digest()].append(path)
            except OSError:
                continue
    return [group for group in groups.values() if len(group) > 1]
