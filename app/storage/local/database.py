"""The SQLite file: one writer, several readers, every transaction durable once it ends."""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from app.errors import (
    DatabaseDamaged,
    Overloaded,
    ParameterInvalid,
    StorageFull,
    StorageUnavailable,
)
from app.storage.local.disk import is_full
from app.storage.local.schema import SCHEMA_VERSION, migrate

READERS = 8
"""Connections for reading; who finds all of them in use waits for one."""
# Of them, for reads whose effort grows with the gallery; and how long one waits for its turn, and takes.
_COSTLY, _TURN_S, _COSTLY_S = 2, 5.0, 20.0
# How long another program may hold the database before a write is refused.
_PATIENCE_S = 5.0
_LOG_BYTES = 1 << 20
# Instructions of SQLite between two looks at whether a check shall end.
_STEPS = 100_000


class Database:
    """WAL and synchronous=FULL. Calls may come from any thread; changes take turns.

    Reads have connections of their own: they wait neither for a change nor for another program's.
    """

    def __init__(
        self, path: Path, patience_s: float = _PATIENCE_S, *, upgrade: bool = True
    ) -> None:
        """Open ``path``, making or upgrading its tables, unless it may not be upgraded.

        Raises ``DatabaseDamaged`` or ``StorageUnavailable``.
        """
        self.path = path
        self._patience_s = patience_s
        self._lock = threading.RLock()
        self._idle: list[sqlite3.Connection] = []
        self._places = threading.BoundedSemaphore(READERS)
        self._costly = threading.BoundedSemaphore(_COSTLY)
        self._db = self._connect()
        try:
            with self._translated():
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=FULL")
                # The log is cut after a checkpoint, rather than stay as long as it has ever been.
                self._db.execute(f"PRAGMA journal_size_limit={_LOG_BYTES}")
                self._db.execute("PRAGMA foreign_keys=ON")
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
            if version > SCHEMA_VERSION:
                raise StorageUnavailable(
                    f"{path} was written by a newer version of Gemello (schema {version})"
                )
            if problem := self.problem(quick=True):
                raise DatabaseDamaged(str(path), f"is damaged ({problem})")
            if version < SCHEMA_VERSION and not upgrade:
                raise StorageUnavailable(
                    f"{path} was written by an older version of Gemello (schema {version}); start "
                    "the service once"
                )
            if version < SCHEMA_VERSION:
                with self.transaction() as db:
                    migrate(db, version)
        except BaseException:
            self._db.close()
            raise

    def close(self) -> None:
        with self._lock:
            for db in (*self._idle, self._db):
                db.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection for statements that change nothing; all see the same state."""
        with self._places, self._translated():
            db = self._reader()
            try:
                db.execute("BEGIN")
                yield db
            finally:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                self._idle.append(db)

    @contextmanager
    def reading_much(self, what: str) -> Iterator[sqlite3.Connection]:
        """Yield a connection as ``reading`` does, for ``what`` may look at every image: few at once, and not for ever.

        Raises ``Overloaded`` when too many wait, ``ParameterInvalid`` naming ``what`` when it takes too long.
        """
        if not self._costly.acquire(timeout=_TURN_S):
            raise Overloaded()
        try:
            with self.reading() as db:
                end = time.monotonic() + _COSTLY_S
                db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
                try:
                    yield db
                except sqlite3.OperationalError as exc:
                    if exc.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
                        raise
                    raise ParameterInvalid(what, "it takes too long; ask for less") from exc
                finally:
                    db.set_progress_handler(None, _STEPS)
        finally:
            self._costly.release()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield the connection; all changes are committed at the end, or none after an error."""
        with self._lock, self._translated():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._commit()
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def problem(
        self, *, quick: bool = False, stopping: Callable[[], bool] = lambda: False
    ) -> str | None:
        """Return the first thing that SQLite finds wrong with the file, or None.

        Indexes are compared with their tables unless it is to be ``quick``. ``stopping`` is asked now
        and then, and ends the check where it returns True. Raises ``StorageUnavailable``.
        """
        check = "quick_check" if quick else "integrity_check"
        try:
            with self.reading() as db:
                db.set_progress_handler(stopping, _STEPS)
                try:
                    (answer,) = db.execute(f"PRAGMA {check}(1)").fetchone()
                except sqlite3.OperationalError:
                    if stopping():
                        return None
                    raise
                finally:
                    db.set_progress_handler(None, _STEPS)
        except DatabaseDamaged as exc:
            return exc.reason
        # The first line may only name the table.
        return None if answer == "ok" else str(answer).splitlines()[-1]

    def _commit(self) -> None:
        try:
            self._db.execute("COMMIT")
        except sqlite3.Error:
            # What was written before the failure lies in the log, and would count at the next start,
            # though the caller is told that it does not: a small change takes its place.
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            with suppress(sqlite3.Error):
                (version,) = self._db.execute("PRAGMA user_version").fetchone()
                self._db.execute(f"PRAGMA user_version = {version}")
            raise

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._idle.pop()
        except IndexError:
            db = self._connect()
            db.execute("PRAGMA query_only=ON")
            return db

    def _connect(self) -> sqlite3.Connection:
        with self._translated():
            db = sqlite3.connect(
                self.path,
                check_same_thread=False,
                isolation_level=None,
                timeout=self._patience_s,
            )
            # What is no valid text any more is read all the same, and fails its checksum.
            db.text_factory = lambda data: data.decode(errors="surrogateescape")
            # A query never writes temporary files: the disk may be full.
            db.execute("PRAGMA temp_store=MEMORY")
            return db

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as exc:
            code = getattr(exc, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
            # Of its shared memory, SQLite only says that it cannot be written.
            if code == sqlite3.SQLITE_FULL or (
                code == sqlite3.SQLITE_IOERR and is_full(self.path.parent)
            ):
                raise StorageFull() from exc
            if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise DatabaseDamaged(str(self.path), f"is damaged ({exc})") from exc
            raise StorageUnavailable(f"the database says {exc}") from exc
