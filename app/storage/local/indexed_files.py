"""The files that were read from folders on this machine, so that none is read twice."""

from collections.abc import Iterable
from dataclasses import dataclass

from app.storage.local.database import Database


@dataclass(frozen=True, slots=True)
class IndexedFile:
    """A file of an indexed folder, as it was when it was read."""

    path: str
    size: int
    modified_ns: int


class IndexedFiles:
    def __init__(self, database: Database) -> None:
        self._database = database

    def knows(self, file: IndexedFile) -> bool:
        """Return whether this very file, by path, size and time of change, was read before."""
        with self._database.reading() as db:
            query = "SELECT 1 FROM sources WHERE path = ? AND size = ? AND modified_ns = ?"
            row = db.execute(query, (file.path, file.size, file.modified_ns)).fetchone()
            return row is not None

    def remember(self, files: Iterable[IndexedFile]) -> None:
        with self._database.transaction() as db:
            db.executemany(
                "INSERT OR REPLACE INTO sources VALUES (?, ?, ?)",
                [(f.path, f.size, f.modified_ns) for f in files],
            )
