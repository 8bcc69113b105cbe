"""EIO from each call of a write that makes something last: acknowledged and lost 0, refused and stored 0."""

import errno
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app.errors import StorageUnavailable
from app.storage.local.database import Database
from tests.support.galleries import Parts, new, opened
from tests.support.images import picture

WRITES: dict[str, Callable[[Parts], object]] = {
    "add": lambda parts: parts.gallery.add([new(7, "new"), new(8, "newer")]),
    "replace": lambda parts: parts.gallery.add([new(7, "b")], "replace"),
    "change": lambda parts: parts.gallery.update("b", {"label": "new"}),
    "remove": lambda parts: parts.gallery.remove("b"),
}


class Failing:
    """Raises EIO at the n-th call that it stands before, or only counts them."""

    def __init__(self) -> None:
        self.at, self.calls = 0, 0

    def step(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise OSError(errno.EIO, os.strerror(errno.EIO))


@contextmanager
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Failing]:
    """Stand before every fsync and rename of ours, and before and after every commit of SQLite's."""
    points = Failing()
    fsync, replace = os.fsync, Path.replace
    commit = Database._commit

    def failing_commit(database: Database) -> None:
        try:
            points.step()
        except OSError as exc:
            raise sqlite3.OperationalError("disk I/O error") from exc
        commit(database)

    def failing_fsync(descriptor: int) -> None:
        points.step()
        fsync(descriptor)

    def failing_replace(path: Path, target: Path) -> Path:
        points.step()
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing_fsync)
        patch.setattr(Path, "replace", failing_replace)
        patch.setattr(Database, "_commit", failing_commit)
        yield points


def seen(parts: Parts) -> list[tuple[str, str | None, bytes]]:
    return [
        (record.id, record.label, parts.gallery.image(record.id)[1])
        for record in parts.gallery.list_images()
    ]


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_failed_is_not_there_and_one_that_did_not_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    at = refused = 0
    while True:
        at += 1
        folder = tmp_path / str(at)
        with opened(folder) as parts:
            parts.gallery.add([new(1, "a"), new(2, "b")])
            before = seen(parts)
            with failing(monkeypatch) as points:
                points.at = at
                try:
                    WRITES[write](parts)
                    acknowledged = True
                except StorageUnavailable:
                    acknowledged = False
                    refused += 1
            after = seen(parts)
            assert acknowledged or after == before
            assert not acknowledged or after != before
            assert ("b", None, picture(2)) in before
        with opened(folder) as parts:
            assert seen(parts) == after, f"after a restart, failing at {at}"
            assert [d for d in parts.stores.gallery.check(lambda: False) if d] == []
        if points.calls < at:
            assert refused == at - 1
            return
