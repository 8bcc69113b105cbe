"""Indexing a folder: labels, what is passed over, and what a second run reads."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.errors import Overloaded, SettingsError
from app.gallery.gallery import Gallery
from app.gallery.new_image import AddResult
from app.jobs.imports import folder as folder_import
from app.jobs.imports.add import StartupImport
from app.jobs.imports.folder import import_folder
from app.jobs.runner import Stopped
from tests.support.galleries import Parts, opened
from tests.support.images import picture


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    root = tmp_path / "photos"
    for name, seed in {
        "top.png": 0,
        "cats/a.PNG": 1,
        "cats/old/b.jpeg": 2,
        "dogs/c.png": 3,
        "dogs/.hidden.png": 4,
        ".thumbnails/d.png": 5,
        "dogs/.git/e.png": 6,
    }.items():
        write(root / name, picture(seed))
    (root / "notes.txt").write_text("no image")
    return root


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    with opened(tmp_path / "data") as parts:
        yield parts


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def run(parts: Parts, root: Path, *, max_bytes: int = 1_000_000) -> StartupImport:
    progress = StartupImport(str(root))
    import_folder(parts.gallery, parts.indexed_files, root, progress, max_bytes=max_bytes)
    return progress


def labels(parts: Parts) -> dict[str | None, str | None]:
    return {image.filename: image.label for image in parts.gallery.list_images()}


def counts(progress: StartupImport) -> tuple[int, int, int]:
    return progress.seen, progress.added, progress.failed


def test_the_first_folder_is_the_label_and_hidden_files_stay_out(
    parts: Parts, photos: Path
) -> None:
    assert counts(run(parts, photos)) == (4, 4, 0)
    assert labels(parts) == {
        "top.png": None,
        "cats/a.PNG": "cats",
        "cats/old/b.jpeg": "cats",
        "dogs/c.png": "dogs",
    }


def test_a_second_run_reads_nothing(
    parts: Parts, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(parts, photos)
    monkeypatch.setattr(folder_import, "_read", None)
    assert counts(run(parts, photos)) == (4, 0, 0)


def test_a_removed_image_stays_removed_and_a_new_one_comes(parts: Parts, photos: Path) -> None:
    run(parts, photos)
    removed = parts.gallery.list_images()[0]
    parts.gallery.remove(removed.id)
    write(photos / "dogs/new.png", picture(9))
    assert counts(run(parts, photos)) == (5, 1, 0)
    assert removed.filename not in labels(parts)
    assert labels(parts)["dogs/new.png"] == "dogs"


def test_a_changed_file_is_read_again(parts: Parts, photos: Path) -> None:
    run(parts, photos)
    write(photos / "top.png", picture(8, compress_level=1))
    os.utime(photos / "top.png", ns=(1, 1))
    assert counts(run(parts, photos)) == (4, 1, 0)
    assert parts.search(picture(8)).matches[0].distance < 1e-3


def test_what_is_no_image_is_counted_named_and_not_tried_again(parts: Parts, photos: Path) -> None:
    write(photos / "broken.png", picture(1)[:200])
    write(photos / "text.jpg", b"text")
    progress = run(parts, photos)
    assert counts(progress) == (6, 4, 2)
    assert [Path(failure.split(":")[0]).name for failure in progress.failures] == [
        "broken.png",
        "text.jpg",
    ]
    assert counts(run(parts, photos)) == (6, 0, 0)
    write(photos / "broken.png", picture(11))
    assert counts(run(parts, photos)) == (6, 1, 0)


def test_a_file_that_cannot_be_read_is_counted_and_tried_again(parts: Parts, photos: Path) -> None:
    link = photos / "later.png"
    link.symlink_to(photos / "target")
    progress = run(parts, photos)
    assert counts(progress) == (5, 4, 1)
    assert "later.png" in progress.failures[0]
    (photos / "target").write_bytes(picture(12))
    assert counts(run(parts, photos)) == (5, 1, 0)


def test_an_empty_file_is_counted(parts: Parts, photos: Path) -> None:
    write(photos / "empty.png", b"")
    assert counts(run(parts, photos)) == (5, 4, 1)


def test_no_more_than_the_limit_is_read(parts: Parts, photos: Path) -> None:
    write(photos / "huge.png", picture(1) + bytes(2_000_000))
    progress = run(parts, photos, max_bytes=1_000_000)
    # The gallery's own limit is larger: it saw one byte more than ours, and the image in it.
    assert progress.seen == 5
    sizes = {image.filename: image.bytes for image in parts.gallery.list_images()}
    assert sizes["huge.png"] == 1_000_001


def test_a_pipe_is_no_image_and_blocks_nothing(parts: Parts, photos: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    assert counts(run(parts, photos)) == (4, 4, 0)


def test_names_that_are_not_unicode_are_shown_as_far_as_they_can_be(
    parts: Parts, photos: Path
) -> None:
    folder = os.fsencode(photos) + b"/caf\xe9"
    os.mkdir(folder)  # noqa: PTH102
    with open(folder + b"/na\xefve.png", "wb") as stream:  # noqa: PTH123
        stream.write(picture(20))
    assert counts(run(parts, photos)) == (5, 5, 0)
    assert labels(parts)["caf\ufffd/na\ufffdve.png"] == "caf\ufffd"
    assert counts(run(parts, photos)) == (5, 0, 0)


def test_more_files_than_one_chunk(parts: Parts, tmp_path: Path) -> None:
    for seed in range(40):
        write(tmp_path / "many" / f"{seed:02}.png", picture(seed))
    assert counts(run(parts, tmp_path / "many")) == (40, 40, 0)
    names = [image.filename for image in parts.gallery.list_images()]
    assert names == [f"{seed:02}.png" for seed in range(40)]


class Busy(Gallery):
    """Refuses the first call."""

    refusals = 1

    def add(self, images: object, on_conflict: object = "skip") -> list[AddResult]:
        if self.refusals:
            self.refusals -= 1
            raise Overloaded(0)
        return [AddResult("created", new.filename) for new in images]  # type: ignore[attr-defined]


def test_an_import_gives_way_while_the_service_is_busy(parts: Parts, photos: Path) -> None:
    progress = StartupImport("")
    busy = Busy.__new__(Busy)
    import_folder(busy, parts.indexed_files, photos, progress, max_bytes=10**6)
    assert counts(progress) == (4, 4, 0)


def test_an_import_that_is_stopped_remembers_only_what_it_stored(
    parts: Parts, photos: Path
) -> None:
    stop = threading.Event()

    class Stopping(Gallery):
        def add(self, images: object, on_conflict: object = "skip") -> list[AddResult]:
            stop.set()
            raise Overloaded(0)

    progress = StartupImport("", stop)
    stopping = Stopping.__new__(Stopping)
    with pytest.raises(Stopped):
        import_folder(stopping, parts.indexed_files, photos, progress, max_bytes=10**6)
    assert counts(progress) == (0, 0, 0)
    assert counts(run(parts, photos)) == (4, 4, 0)


def test_a_root_that_is_not_a_folder_is_refused(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "file.png").write_bytes(picture(1))
    for root in (tmp_path / "missing", tmp_path / "file.png"):
        with pytest.raises(SettingsError, match="is not a folder"):
            import_folder(parts.gallery, parts.indexed_files, root, StartupImport(""), max_bytes=1)
