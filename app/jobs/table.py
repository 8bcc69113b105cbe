"""Long work, written down in the database: it shows how far it is, can be cancelled, and goes on
after a restart."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from app.errors import GemelloError, JobNotFound
from app.storage.local.database import Database

State = Literal["queued", "running", "succeeded", "failed", "cancelled"]

# Errors stored of one job, and finished jobs stored at all: neither may fill the disk.
MAX_ERRORS = 1000
_KEPT = 200
_COLUMNS = "id, kind, arguments, state, reason, done, total, added, failed, created_at, updated_at"


@dataclass(frozen=True, slots=True)
class Job:
    """``done`` of ``total`` items (None until it is known), ``failed`` of them; ``added`` are new."""

    id: str
    kind: str
    arguments: dict[str, Any]
    state: State
    reason: str | None
    done: int
    total: int | None
    added: int
    failed: int
    created_at: str
    updated_at: str

    @property
    def finished(self) -> bool:
        return self.state not in ("queued", "running")


@dataclass(frozen=True, slots=True)
class ItemError:
    """Why an item of a job failed."""

    item: str
    code: str
    detail: str


class Jobs:
    """The table of jobs; every change is durable."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, kind: str, arguments: Mapping[str, Any]) -> Job:
        """Queue a new job. Old finished ones make room."""
        job_id, now = uuid4().hex, _now()
        with self._database.transaction() as db:
            db.execute(
                "INSERT INTO jobs (id, kind, arguments, state, created_at, updated_at)"
                " VALUES (?, ?, ?, 'queued', ?, ?)",
                (job_id, kind, json.dumps(arguments), now, now),
            )
            db.execute(
                "DELETE FROM jobs WHERE state NOT IN ('queued', 'running') AND number <="
                " (SELECT max(number) FROM jobs) - ?",
                (_KEPT,),
            )
        return self.get(job_id)

    def get(self, job_id: str) -> Job:
        """Return a job. Raises ``JobNotFound``."""
        with self._database.reading() as db:
            row = db.execute(f"SELECT {_COLUMNS} FROM jobs WHERE id = ?", (job_id,)).fetchone()  # noqa: S608
        if row is None:
            raise JobNotFound(job_id)
        return _job(row)

    def all(self) -> list[Job]:
        """Return every job, the newest first."""
        with self._database.reading() as db:
            rows = db.execute(f"SELECT {_COLUMNS} FROM jobs ORDER BY number DESC")  # noqa: S608
            return [_job(row) for row in rows]

    def unfinished(self) -> list[Job]:
        """Return those queued or interrupted, the oldest first."""
        with self._database.reading() as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM jobs WHERE state IN ('queued', 'running') ORDER BY number"  # noqa: S608
            )
            return [_job(row) for row in rows]

    def move(self, job_id: str, state: State, reason: str | None = None) -> bool:
        """Give an unfinished job another state; return whether it was unfinished."""
        with self._database.transaction() as db:
            changed = db.execute(
                "UPDATE jobs SET state = ?, reason = ?, updated_at = ?"
                " WHERE id = ? AND state IN ('queued', 'running')",
                (state, reason, _now(), job_id),
            )
            return changed.rowcount > 0

    def report(
        self,
        job_id: str,
        done: int,
        total: int | None,
        added: int = 0,
        failures: Sequence[tuple[str, GemelloError]] = (),
    ) -> None:
        """Write down how far a job is, and what was ``added`` and failed since the last time.

        An item fails once at most.
        """
        with self._database.transaction() as db:
            (number,) = db.execute("SELECT number FROM jobs WHERE id = ?", (job_id,)).fetchone()
            new = [
                (item, error)
                for item, error in failures
                if not db.execute(
                    "SELECT 1 FROM job_errors WHERE job = ? AND item = ?", (number, item)
                ).fetchone()
            ]
            (stored,) = db.execute(
                "SELECT count(*) FROM job_errors WHERE job = ?", (number,)
            ).fetchone()
            db.executemany(
                "INSERT OR IGNORE INTO job_errors VALUES (?, ?, ?, ?)",
                [
                    (number, item, error.code, error.detail)
                    for item, error in new[: max(0, MAX_ERRORS - stored)]
                ],
            )
            db.execute(
                "UPDATE jobs SET done = ?, total = ?, added = added + ?, failed = failed + ?,"
                " updated_at = ? WHERE number = ?",
                (done, total, added, len(new), _now(), number),
            )

    def errors(self, job_id: str) -> list[ItemError]:
        """Return what failed, by item; the first ``MAX_ERRORS``."""
        with self._database.reading() as db:
            rows = db.execute(
                "SELECT item, code, detail FROM job_errors JOIN jobs ON job = number"
                " WHERE id = ? ORDER BY item",
                (job_id,),
            )
            return [ItemError(*row) for row in rows]


def _job(row: tuple[Any, ...]) -> Job:
    job_id, kind, arguments, *rest = row
    return Job(job_id, kind, json.loads(arguments), *rest)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
