"""The tables of the gallery's database, and how an older file becomes the newest."""

import json
import sqlite3

from app.storage.facts import facts_of
from app.storage.local.filter_sql import stored

SCHEMA_VERSION = 3

_FIRST = """
CREATE TABLE images (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    sha256 TEXT NOT NULL,
    filename TEXT,
    label TEXT,
    metadata TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX images_sha256 ON images (sha256);
CREATE TABLE vectors (
    position INTEGER NOT NULL REFERENCES images (position) ON DELETE CASCADE,
    model_id TEXT NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model_id, position)
) STRICT;
CREATE TABLE sources (
    path TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    modified_ns INTEGER NOT NULL
) STRICT;
"""

# What filters ask for: a row for each value of an image's label, filename and metadata.
_FACTS = """
CREATE TABLE facts (
    key TEXT NOT NULL,
    value ANY NOT NULL,
    position INTEGER NOT NULL REFERENCES images (position) ON DELETE CASCADE,
    PRIMARY KEY (key, value, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX facts_position ON facts (position, key);
"""

_JOBS = """
CREATE TABLE jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    arguments TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT,
    done INTEGER NOT NULL DEFAULT 0,
    total INTEGER,
    added INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;
CREATE TABLE job_errors (
    job INTEGER NOT NULL REFERENCES jobs (number) ON DELETE CASCADE,
    item TEXT NOT NULL,
    code TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (job, item)
) STRICT, WITHOUT ROWID;
CREATE TABLE choices (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
"""

# The key begins with the model, so that without this a change of one image looks at every vector.
_VECTORS_OF_AN_IMAGE = "CREATE INDEX vectors_position ON vectors (position);\n"


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring the tables from ``version`` (0: an empty file) to ``SCHEMA_VERSION``.

    Runs inside the caller's transaction, so that an interruption leaves the old file.
    """
    if version < 1:
        _run(db, _FIRST)
    if version < 2:
        _run(db, _FACTS)
        _collect_facts(db)
        _run(db, _JOBS)
    if version < 3:
        _run(db, _VECTORS_OF_AN_IMAGE)
    db.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")


def put_facts(db: sqlite3.Connection, position: int) -> None:
    """Write an image's facts anew from its record."""
    db.execute("DELETE FROM facts WHERE position = ?", (position,))
    label, filename, metadata = db.execute(
        "SELECT label, filename, metadata FROM images WHERE position = ?", (position,)
    ).fetchone()
    facts = facts_of(label, filename, json.loads(metadata))
    db.executemany(
        "INSERT OR IGNORE INTO facts VALUES (?, ?, ?)",
        [(key, stored(value), position) for key, value in facts],
    )


def _collect_facts(db: sqlite3.Connection) -> None:
    for (position,) in db.execute("SELECT position FROM images").fetchall():
        put_facts(db, position)


def _run(db: sqlite3.Connection, statements: str) -> None:
    # executescript would end the transaction.
    for statement in statements.split(";\n"):
        db.execute(statement)
