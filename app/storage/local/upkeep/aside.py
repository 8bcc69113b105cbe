"""An old database, kept beside the one that takes its place."""

from datetime import UTC, datetime
from pathlib import Path

from app.storage.local.stores import DATABASE


def move_aside(data_dir: Path) -> Path | None:
    """Give the database a name with the time in it, and return that; None where there is none.

    Raises ``OSError``.
    """
    path = data_dir / DATABASE
    if not path.exists():
        return None
    target = path.with_name(f"{DATABASE}.{datetime.now(UTC):%Y%m%dT%H%M%S%f}")
    # What was not yet written into the database lies in the first of these.
    for suffix in ("-wal", "-shm"):
        if Path(f"{path}{suffix}").exists():
            Path(f"{path}{suffix}").replace(f"{target}{suffix}")
    path.replace(target)
    return target
