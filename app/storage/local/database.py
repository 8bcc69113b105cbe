"""The SQLite file: one connection, one transaction at a time, durable once it ends."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.errors import StorageFull, StorageUnavailable
from app.storage.local.schema import SCHEMA_VERSION, migrate


class Database:
    """WAL and synchronous=FULL. Calls may come from any thread; they take turns."""

    def __init__(self, path: Path) -> None:
        """Open ``path``, making or upgrading its tables. Raises ``StorageUnavailable``."""
        self._lock = threading.RLock()
        with _translated():
            self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        try:
            with _translated():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                self._db.execute("PRAGMA foreign_keys=ON")
            with self.transaction() as db:
                (version,) = db.execute("PRAGMA user_version").fetchone()
                if version > SCHEMA_VERSION:
                    raise StorageUnavailable(
                        f"{path} was written by a newer version of Gemello (schema {version})"
                    )
                migrate(db, version)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection, for statements that change nothing."""
        with self._lock, _translated():
            yield self._db

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection; all changes are committed at the end, or none after an error."""
        with self._lock, _translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as exc:
        if getattr(exc, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
            raise StorageFull() from exc
        raise StorageUnavailable(f"the database says {exc}") from exc
