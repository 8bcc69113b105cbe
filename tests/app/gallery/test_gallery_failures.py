"""The domain without HTTP: failures at every step, restarts, and many threads."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from structlog.testing import capture_logs

from app.errors import (
    StorageFull,
    StorageUnavailable,
)
from app.gallery.gallery import Gallery
from app.storage.blob_store import digest_of
from app.storage.local import vector_rows
from app.storage.local.blob_store import LocalBlobStore
from app.storage.local.database import Database
from app.storage.local.gallery_store import LocalGalleryStore
from app.testing import FakeEncoder
from tests.support.galleries import (
    Parts,
    answers,
    new,
    opened,
    state,
    statuses,
    stored_files,
    visible,
)
from tests.support.images import picture


class Failpoints:
    """Raises at the n-th step of a write: before or after each touch of the disk."""

    def __init__(self) -> None:
        self.armed: int | None = None
        self.passed = 0
        self.error: Exception = StorageUnavailable("the disk failed")

    def arm(self, step: int | None, error: Exception | None = None) -> None:
        self.armed, self.passed = step, 0
        self.error = error or self.error

    def step(self) -> None:
        self.passed += 1
        if self.passed == self.armed:
            raise self.error


def failing(
    points: Failpoints, monkeypatch: pytest.MonkeyPatch
) -> tuple[type[LocalGalleryStore], type[LocalBlobStore]]:
    put_vector = vector_rows.put_vector

    def failing_put_vector(*args: Any) -> bool:
        points.step()
        stored = put_vector(*args)
        points.step()
        return stored

    monkeypatch.setattr(vector_rows, "put_vector", failing_put_vector)

    class FailingStore(LocalGalleryStore):
        def put(self, *args: Any) -> None:
            points.step()
            super().put(*args)

        def delete(self, ids: Sequence[str]) -> None:
            points.step()
            super().delete(ids)

    class FailingBlobs(LocalBlobStore):
        def put(self, digest: str, data: bytes) -> None:
            points.step()
            super().put(digest, data)
            points.step()

    return FailingStore, FailingBlobs


@pytest.mark.parametrize("error", [StorageUnavailable("the disk failed"), StorageFull()])
def test_a_failure_at_any_step_of_adding_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: StorageFull | StorageUnavailable
) -> None:
    points = Failpoints()
    store, blobs = failing(points, monkeypatch)
    with opened(tmp_path, store=store, blobs=blobs) as parts:
        gallery = parts.gallery
        gallery.add([new(1, "a"), new(2, "b")])
        visible_before, files_before = visible(parts), stored_files(tmp_path)
        points.arm(None)
        gallery.add([new(3, "c"), new(4, "d")])
        steps = points.passed
        assert steps == 9, "two files, a transaction, two vectors"
        gallery.remove("c")
        gallery.remove("d")
        for step in range(1, steps + 1):
            points.arm(step, error)
            with pytest.raises(type(error)):
                gallery.add([new(3, "c"), new(4, "a")], "replace")
            points.arm(None)
            # A commit that failed may count all the same at the next start: its files stay till then.
            assert visible(parts) == visible_before, f"step {step}"
            assert set(stored_files(tmp_path)) >= set(files_before), f"step {step}"
    with opened(tmp_path) as parts:
        assert (visible(parts), stored_files(tmp_path)) == (visible_before, files_before)
        assert statuses(parts.gallery.add([new(3, "c"), new(4, "a")], "replace")) == [
            "created",
            "replaced",
        ]


def test_a_replaced_picture_outlives_a_commit_that_failed_and_counts_all_the_same(
    tmp_path: Path,
) -> None:
    """As with SQLite when a sync fails after the write: only the next start sees the new record."""
    written: list[Any] = []

    class Unsynced(LocalGalleryStore):
        def put(self, *args: Any) -> None:
            written.append(args)
            raise StorageUnavailable("the disk failed")

    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a")])
    with opened(tmp_path, store=Unsynced) as parts, pytest.raises(StorageUnavailable):
        parts.gallery.add([new(2, "a")], "replace")
    database = Database(tmp_path / "gallery.sqlite3")
    LocalGalleryStore(database).put(*written[0])
    database.close()
    with opened(tmp_path) as parts:
        assert parts.gallery.image("a")[1] == picture(2)


def test_files_without_any_record_are_left_where_they_are(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        files = stored_files(tmp_path)
    (tmp_path / "gallery.sqlite3").unlink()
    (tmp_path / "journal.jsonl").unlink()
    with opened(tmp_path) as parts:
        assert (len(parts.gallery), stored_files(tmp_path)) == (0, files)


def test_a_failure_of_removing_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = Failpoints()
    store, blobs = failing(points, monkeypatch)
    with opened(tmp_path, store=store, blobs=blobs) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        before = state(parts, tmp_path)
        points.arm(1)
        with pytest.raises(StorageUnavailable):
            parts.gallery.remove("a")
        assert state(parts, tmp_path) == before


def test_a_file_that_cannot_be_removed_is_collected_at_the_next_start(tmp_path: Path) -> None:
    class Stuck(LocalBlobStore):
        def delete(self, digest: str) -> None:
            raise StorageUnavailable("the disk is read-only")

    with opened(tmp_path, blobs=Stuck) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        # Both changes are durable by the time the file resists, so both have happened.
        assert statuses(parts.gallery.add([new(3, "a")], "replace")) == ["replaced"]
        parts.gallery.remove("b")
        assert [name for name, _ in answers(parts, 3)] == ["a"]
        assert len(stored_files(tmp_path)) == 3
    with opened(tmp_path) as parts:
        assert stored_files(tmp_path) == [digest_of(picture(3))]
        assert answers(parts, 3)[0][1] < 1e-3


def test_a_restart_gives_the_same_answers_without_embedding_again(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(seed) for seed in range(20)])
        parts.gallery.remove(digest_of(picture(5))[:32])
        before = state(parts, tmp_path)
    with opened(tmp_path) as parts:
        assert parts.embedded_again == 0
        assert state(parts, tmp_path) == before


def test_another_model_embeds_everything_again_from_the_stored_bytes(tmp_path: Path) -> None:
    class Mirrored(FakeEncoder):
        def embed(self, images: np.ndarray) -> np.ndarray:
            return super().embed(images[:, :, ::-1])

    with opened(tmp_path) as parts:
        parts.gallery.add([new(seed) for seed in range(40)])
        before = answers(parts, 100)
    with opened(tmp_path, encoder=Mirrored(seed="mirrored")) as parts:
        assert parts.embedded_again == 40
        assert answers(parts, 7)[0] == (digest_of(picture(7))[:32], pytest.approx(0, abs=1e-3))
        assert len(parts.gallery) == 40
    with opened(tmp_path) as parts:
        assert parts.embedded_again == 0, "the first model's vectors were kept"
        assert answers(parts, 100) == before


def test_an_altered_file_is_reported_when_it_is_needed(tmp_path: Path) -> None:
    with opened(tmp_path) as parts:
        parts.gallery.add([new(1, "a"), new(2, "b")])
        digest = digest_of(picture(1))
        (tmp_path / "blobs" / digest[:2] / digest).write_bytes(picture(3))
        with pytest.raises(StorageUnavailable, match="altered"):
            parts.gallery.image("a")
    with capture_logs() as logs, opened(tmp_path, encoder=FakeEncoder(seed="other")) as parts:
        assert parts.embedded_again == 1, "one damaged file does not keep the others out"
        assert [name for name, _ in answers(parts, 2)] == ["b"]
    assert [(line["id"], "altered" in line["reason"]) for line in logs] == [("a", True)]


def test_many_threads_that_add_the_same_bytes_make_one_image(
    gallery: Gallery, tmp_path: Path
) -> None:
    together = threading.Barrier(8)

    def add(_: int) -> str:
        together.wait()
        (result,) = gallery.add([new(1)])
        return result.status

    with ThreadPoolExecutor(8) as pool:
        answers = sorted(pool.map(add, range(8)))
    assert answers == ["created"] + ["skipped"] * 7
    assert stored_files(tmp_path) == [digest_of(picture(1))]
    assert len(gallery) == 1


def test_a_search_beside_adding_and_removing_never_comes_short(
    gallery: Gallery, parts: Parts
) -> None:
    gallery.add([new(seed, f"fixed{seed}") for seed in range(10)])
    moving = [new(seed, f"moving{seed}") for seed in range(10, 20)]
    done = threading.Event()

    def churn() -> None:
        for _ in range(8):
            gallery.add(moving)
            for image in moving:
                gallery.remove(str(image.id))
        done.set()

    writer = threading.Thread(target=churn)
    writer.start()
    searches = 0
    try:
        while not done.is_set():
            page = parts.search(picture(0), 10)
            assert len(page.matches) == 10
            assert page.matches[0].image.id == "fixed0"
            distances = [match.distance for match in page.matches]
            assert distances == sorted(distances)
            searches += 1
    finally:
        writer.join()
    assert searches > 5
    assert len(gallery) == 10
