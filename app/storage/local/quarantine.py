"""Files that no record needs, or that are damaged, set aside by day: ``<root>/2026-01-31/<digest>``."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from app.bundle.model_store import sync
from app.storage.blob_store import Quarantined


class Quarantine:
    """A folder for each day. Methods raise ``OSError``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def take(self, path: Path) -> None:
        """Move a file here; one that is gone already is ignored."""
        folder = self._root / datetime.now(UTC).date().isoformat()
        folder.mkdir(parents=True, exist_ok=True)
        try:
            path.replace(folder / path.name)
        except FileNotFoundError:
            return
        sync(folder)
        sync(path.parent)

    def files(self) -> list[Quarantined]:
        """Return all that lie here, the oldest first."""
        return [
            Quarantined(path.name, day)
            for day in self._days()
            for path in sorted((self._root / day.isoformat()).iterdir())
        ]

    def copies(self, digest: str) -> Iterator[Quarantined]:
        """Yield those with this digest, the oldest first."""
        for day in self._days():
            item = Quarantined(digest, day)
            if self.path(item).is_file():
                yield item

    def remove(self, item: Quarantined) -> None:
        """Delete a file, if it is there, and its folder when that is empty then."""
        path = self.path(item)
        path.unlink(missing_ok=True)
        if not any(path.parent.iterdir()):
            path.parent.rmdir()

    def path(self, item: Quarantined) -> Path:
        """Return where a file lies."""
        return self._root / item.since.isoformat() / item.digest

    def _days(self) -> list[date]:
        names = [path.name for path in self._root.iterdir()] if self._root.is_dir() else []
        return sorted(day for name in names if (day := _date(name)))


def _date(name: str) -> date | None:
    try:
        return date.fromisoformat(name)
    except ValueError:
        return None
