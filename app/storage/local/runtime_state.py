"""What was decided while the service ran, and must hold after a restart."""

from app.storage.local.database import Database


class RuntimeState:
    """A small table of texts by key; durable once a call returns."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str) -> str | None:
        with self._database.reading() as db:
            row = db.execute("SELECT value FROM choices WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def put(self, **values: str) -> None:
        """Write several at once."""
        with self._database.transaction() as db:
            db.executemany("INSERT OR REPLACE INTO choices VALUES (?, ?)", list(values.items()))


class InspectedPlace:
    """Where an interrupted look at the stored images goes on."""

    def __init__(self, database: Database) -> None:
        self._state = RuntimeState(database)

    def get(self) -> int:
        return int(self._state.get("inspected") or 0)

    def put(self, position: int) -> None:
        self._state.put(inspected=str(position))
