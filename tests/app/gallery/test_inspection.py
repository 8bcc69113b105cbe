"""The look at everything that is stored, in the background."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from app.gallery import inspection
from app.gallery.inspection import Inspector
from app.storage.blob_store import digest_of
from tests.support.galleries import Parts, answers, new, opened
from tests.support.images import picture

PATIENCE_S = 30


class Kept:
    """Where the look goes on, kept in memory."""

    def __init__(self, position: int = 0) -> None:
        self.position = position
        self.written: list[int] = []

    def get(self) -> int:
        return self.position

    def put(self, position: int) -> None:
        self.position = position
        self.written.append(position)


@contextmanager
def looking(parts: Parts, place: Kept | None = None) -> Iterator[Inspector]:
    inspector = Inspector(
        stores=parts.stores,
        active=parts.active,
        reembedder=parts.reembedder,
        place=place or Kept(),
    )
    inspector.start()
    try:
        yield inspector
    finally:
        inspector.stop()


def until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def spoil(root: Path, seed: int) -> None:
    digest = digest_of(picture(seed))
    (root / "blobs" / digest[:2] / digest).write_bytes(b"spoilt")


def test_nothing_is_found_where_nothing_is_wrong(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        with looking(parts) as inspector:
            until(lambda: inspector.checked_at)
            assert (inspector.damage, inspector.mended) == ([], 0)


def test_damaged_and_missing_images_are_known_until_they_are_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_BETWEEN_S", 0.01)
    with opened(tmp_path) as parts:
        parts.gallery.add([new(seed, f"image{seed}") for seed in range(4)])
        spoil(tmp_path, 1)
        missing = digest_of(picture(2))
        (tmp_path / "blobs" / missing[:2] / missing).unlink()
        with looking(parts) as inspector:
            until(lambda: inspector.checked_at)
            found = {(each.kind, each.item) for each in inspector.damage}
            assert found == {("image", "image1"), ("image", "image2")}
            assert parts.gallery.quarantined() == 1
            assert parts.gallery.image("image3")[1] == picture(3)
            parts.gallery.add([new(1, "image1"), new(2, "image2")])
            until(lambda: not inspector.damage)
            assert parts.gallery.image("image1")[1] == picture(1)


def test_a_damaged_vector_is_made_again_from_its_image(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        before = answers(parts, 1)
        with sqlite3.connect(tmp_path / "gallery.sqlite3") as db:
            db.execute("UPDATE vectors SET vector = zeroblob(length(vector)) WHERE position = 1")
        db.close()
        with looking(parts) as inspector:
            until(lambda: inspector.checked_at)
            assert (inspector.damage, inspector.mended) == ([], 1)
    with opened(tmp_path) as parts:
        assert parts.embedded_again == 0
        assert answers(parts, 1) == before


def test_it_goes_on_where_it_was_unless_something_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_PAGE", 2)
    with opened(tmp_path) as parts:
        parts.gallery.add([new(seed, f"image{seed}") for seed in range(6)])
        spoil(tmp_path, 1)
        for begun, written in ((2, [4, 6, 0]), (0, [])):
            place = Kept(begun)
            with looking(parts, place) as inspector:
                until(partial(getattr, inspector, "checked_at"))
            assert place.written == [*written, 0, 0, 0, 0]


def test_a_round_that_fails_is_followed_by_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_RETRY_S", 0.01)
    with opened(tmp_path) as parts:
        place = Kept()
        calls: list[int] = []

        def failing() -> int:
            calls.append(1)
            if len(calls) == 1:
                raise OSError("the disk failed")
            return 0

        monkeypatch.setattr(place, "get", failing)
        with looking(parts, place) as inspector:
            until(lambda: inspector.checked_at)
