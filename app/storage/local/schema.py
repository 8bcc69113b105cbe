"""The tables of the gallery's database, and how an older file becomes the newest."""

import json
import sqlite3

from app.storage.facts import facts_of
from app.storage.local.checksums import record_checksum, vector_checksum
from app.storage.local.filter_sql import stored

SCHEMA_VERSION = 4

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

# Filled in at once; every row that is written later brings its own.
_CHECKSUMS = """
ALTER TABLE images ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE vectors ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;
CREATE TABLE damaged_records (position INTEGER PRIMARY KEY, content TEXT NOT NULL) STRICT
"""

_READABLE = "json_valid(metadata) AND json_type(metadata) = 'object'"


def migrate(db: sqlite3.Connection, version: int) -> None:
    """Bring the tables from ``version`` (0: an empty file) to ``SCHEMA_VERSION``.

    Runs inside the caller's transaction, so that an interruption leaves the old file.
    """
    if version < 1:
        _run(db, _FIRST)
    if version < 2:
        collect_facts(db)
        _run(db, _JOBS)
    if version < 3:
        _run(db, _VECTORS_OF_AN_IMAGE)
    if version < 4:
        _run(db, _CHECKSUMS)
        _fill_in_checksums(db)
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


def collect_facts(db: sqlite3.Connection) -> None:
    """Write the facts of all images anew."""
    db.execute("DROP TABLE IF EXISTS facts")
    _run(db, _FACTS)
    for (position,) in db.execute(f"SELECT position FROM images WHERE {_READABLE}").fetchall():  # noqa: S608
        put_facts(db, position)


def _fill_in_checksums(db: sqlite3.Connection) -> None:
    columns = "id, sha256, filename, label, metadata, width, height, media_type, bytes, created_at"
    count = columns.count(",") + 1
    db.create_function("record_checksum", count, lambda *row: record_checksum(row))
    db.create_function("vector_checksum", 4, vector_checksum)
    # A record that cannot be read keeps one that fails.
    db.execute(f"UPDATE images SET checksum = record_checksum({columns}) WHERE {_READABLE}")  # noqa: S608
    db.execute(
        "UPDATE vectors SET checksum = vector_checksum(position, model_id,"
        " (SELECT sha256 FROM images WHERE position = vectors.position), vector)"
    )


def _run(db: sqlite3.Connection, statements: str) -> None:
    # executescript would end the transaction.
    for statement in statements.split(";\n"):
        db.execute(statement)
