"""The service's parts and their start, without HTTP."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from app import service as service_module
from app.config import Settings
from app.errors import (
    DatabaseMissing,
    ModelCorrupt,
    ModelNotFound,
    NotReady,
    SettingsError,
    StorageFull,
    StorageUnavailable,
)
from app.gallery.new_image import NewImage
from app.gallery.query import Options, Query
from app.service import Service
from app.storage.local.blob_store import LocalBlobStore
from tests.support.images import picture
from tests.support.tiny_model import publish_tiny

PATIENCE_S = 20


@contextmanager
def running(settings: Settings) -> Iterator[Service]:
    service = Service(settings)
    service.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while service.startup.state in ("starting", "indexing"):
            assert time.monotonic() < deadline
            time.sleep(0.002)
        yield service
    finally:
        service.stop()


@pytest.fixture
def sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small folder in the place of the bundled sample gallery."""
    folder = tmp_path / "sample"
    folder.mkdir()
    for seed in range(3):
        (folder / f"{seed}.png").write_bytes(picture(seed))
    monkeypatch.setattr(service_module, "SAMPLE_GALLERY", folder)
    return folder


def changed(settings: Settings, **changes: object) -> Settings:
    return settings.model_copy(update=changes)


def filenames(service: Service) -> list[str | None]:
    return [image.filename for image in service.gallery.list_images()]


def test_a_restart_keeps_the_gallery(settings: Settings) -> None:
    with running(settings) as service:
        service.gallery.add([NewImage(picture(seed)) for seed in range(5)])
        before = [
            (m.image, m.distance)
            for m in service.searcher.search(Query([picture(9)]), Options()).matches
        ]
    with running(settings) as service:
        after = [
            (m.image, m.distance)
            for m in service.searcher.search(Query([picture(9)]), Options()).matches
        ]
    assert after == before
    assert len(after) == 5


def test_a_data_folder_belongs_to_one(settings: Settings) -> None:
    with running(settings), pytest.raises(SettingsError, match="in use by another Gemello"):
        Service(settings)
    with running(settings) as again:
        assert again.startup.state == "ready"


def test_a_data_folder_that_cannot_be_is_named(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"GEMELLO_DATA_DIR=.*/file/data cannot be used"):
        Service(changed(settings, data_dir=tmp_path / "file" / "data"))


def test_an_unknown_model_is_refused_before_anything_is_made(settings: Settings) -> None:
    with pytest.raises(ModelNotFound, match="it holds tiny/1"):
        Service(changed(settings, model="none"))
    assert not settings.data_dir.exists()


def test_a_manifest_that_does_not_fit_its_graph_is_refused(
    settings: Settings, tmp_path: Path
) -> None:
    """As of a bundle that has no checksum of its manifest; it started, and answered 503 for ever."""
    store = Path(shutil.copytree(settings.model_store, tmp_path / "store"))
    path = store / "tiny" / "1" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "dimension": 999}))
    with pytest.raises(ModelCorrupt, match=r"manifest\.sha256"):
        Service(changed(settings, model_store=store))
    path.with_name("manifest.sha256").unlink()
    with pytest.raises(ModelCorrupt, match=r"manifest\.json is refused: it does not fit: .*999"):
        Service(changed(settings, model_store=store))


def test_a_missing_folder_to_index_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"GEMELLO_GALLERY_DIR=.*/missing is not a folder"):
        Service(changed(settings, gallery_dir=tmp_path / "missing"))


@pytest.mark.parametrize("what", ["gallery.sqlite3", "blobs"])
def test_a_start_that_fails_lets_go_of_the_folder(settings: Settings, what: str) -> None:
    settings.data_dir.mkdir()
    spoilt = settings.data_dir / what
    spoilt.write_bytes(b"neither a database nor a folder" * 100)
    with pytest.raises(StorageUnavailable):
        Service(settings)
    spoilt.unlink()
    with running(settings) as service:
        assert service.startup.state == "ready"


@pytest.mark.parametrize("emptied", [False, True])
def test_a_database_that_is_missing_beside_stored_images_stops_the_start(
    settings: Settings, emptied: bool
) -> None:
    database = settings.data_dir / "gallery.sqlite3"
    with running(settings) as service:
        service.gallery.add([NewImage(picture(1))])
    saved = database.read_bytes()
    database.unlink()
    if emptied:
        database.touch()
    with pytest.raises(DatabaseMissing, match=r"gallery.sqlite3 is missing or empty, but .*blobs"):
        Service(settings)
    database.write_bytes(saved)
    with running(settings) as service:
        (image,) = service.gallery.list_images()
        assert service.gallery.image(image.id)[1] == picture(1)


def test_an_empty_gallery_is_filled_with_the_sample_once(settings: Settings, sample: Path) -> None:
    wanted = changed(settings, sample_gallery=True)
    with running(wanted) as service:
        assert filenames(service) == ["0.png", "1.png", "2.png"]
        for image in service.gallery.list_images():
            service.gallery.remove(image.id)
    with running(wanted) as service:
        assert len(service.gallery) == 0, "what was removed stays removed"
    (sample / "new.png").write_bytes(picture(7))
    with running(changed(settings, sample_gallery=False)) as service:
        assert len(service.gallery) == 0


def test_a_gallery_with_images_of_its_own_gets_no_sample(settings: Settings, sample: Path) -> None:
    with running(settings) as service:
        service.gallery.add([NewImage(picture(9), filename="mine.png")])
    with running(changed(settings, sample_gallery=True)) as service:
        assert filenames(service) == ["mine.png"]


def test_a_folder_is_indexed_at_start_and_its_news_at_the_next(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "photos" / "cats"
    folder.mkdir(parents=True)
    (folder / "a.png").write_bytes(picture(1))
    indexing = changed(settings, gallery_dir=tmp_path / "photos")
    with running(indexing) as service:
        assert [(i.filename, i.label) for i in service.gallery.list_images()] == [
            ("cats/a.png", "cats")
        ]
    (folder / "b.png").write_bytes(picture(2))
    with running(indexing) as service:
        assert filenames(service) == ["cats/a.png", "cats/b.png"]
        progress = service.startup.progress
        assert progress is not None
        assert (progress.seen, progress.added, progress.failed) == (2, 1, 0)


def test_another_model_serves_the_same_gallery(settings: Settings, tmp_path: Path) -> None:
    store = Path(shutil.copytree(settings.model_store, tmp_path / "store"))
    with running(changed(settings, model_store=store)) as service:
        service.gallery.add([NewImage(picture(seed)) for seed in range(5)])
    publish_tiny(store, offset=0.5)
    with running(changed(settings, model_store=store)) as service:
        assert service.active.model.manifest.version == "2"
        assert len(service.gallery) == 5
        assert service.searcher.search(Query([picture(3)]), Options()).matches[0].distance < 1e-3


def test_it_is_not_ready_before_it_started_nor_when_it_stops(settings: Settings) -> None:
    service = Service(settings)
    with pytest.raises(NotReady, match="being loaded"):
        service.check_ready()
    service.stop()
    with pytest.raises(NotReady, match="shutting down"):
        service.check_ready()


def test_a_stop_while_indexing_is_quick_and_keeps_what_was_done(
    settings: Settings, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for seed in range(200):
        (folder / f"{seed:03}.png").write_bytes(picture(seed))
    indexing = changed(settings, gallery_dir=folder)
    service = Service(indexing)
    service.start()
    deadline = time.monotonic() + PATIENCE_S
    while len(service.gallery) == 0:
        assert time.monotonic() < deadline
    start = time.monotonic()
    service.stop()
    assert time.monotonic() - start < 5
    with running(indexing) as service:
        assert len(service.gallery) == 200


def test_hardening_35_indexing_at_start_goes_on_once_the_disk_has_room(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for seed in range(40):
        (folder / f"{seed:02}.png").write_bytes(picture(seed))
    monkeypatch.setattr(service_module, "_FULL_S", 0.01)
    put, writes, refusals = LocalBlobStore.put, 0, 3

    def now_and_then_full(self: LocalBlobStore, digest: str, data: bytes) -> None:
        nonlocal writes, refusals
        writes += 1
        if writes > 20 and refusals:
            refusals -= 1
            raise StorageFull()
        put(self, digest, data)

    monkeypatch.setattr(LocalBlobStore, "put", now_and_then_full)
    with running(changed(settings, gallery_dir=folder)) as service:
        assert service.startup.state == "ready"
        assert (len(service.gallery), refusals) == (40, 0)
        assert service.startup.progress
        assert (service.startup.progress.seen, service.startup.progress.added) == (40, 40)
