"""Bits flipped in random places of a data folder and a bundle, and their files missing, empty, cut or older.

Whatever is spoilt, every case ends in one of three ways: the start is refused in a sentence, everything
is as it was, or what is not is told. No stored image is destroyed.
"""

import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.config import Settings
from app.errors import GemelloError
from app.gallery.new_image import NewImage
from app.gallery.query import Options, Query
from app.service import Service
from app.storage.blob_store import digest_of
from app.storage.filters import parse_filter
from tests.support.images import picture
from tests.support.tiny_model import publish_tiny

pytestmark = pytest.mark.slow

IMAGES, PATIENCE_S = 24, 60
FLIPS = 300


@dataclass(frozen=True)
class Folders:
    """A data folder with its model's, and how the data folder was some changes before."""

    whole: Path
    older: Path

    @property
    def files(self) -> list[str]:
        return sorted(
            str(path.relative_to(self.whole)) for path in self.whole.rglob("*") if path.is_file()
        )


def settings_of(root: Path) -> Settings:
    return Settings(
        data_dir=root / "data", model_store=root / "store", model="tiny", sample_gallery=False
    )


@contextmanager
def running(root: Path) -> Iterator[Service]:
    service = Service(settings_of(root))
    service.start()
    try:
        deadline = time.monotonic() + PATIENCE_S
        while service.startup.state not in ("ready", "failed"):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        yield service
    finally:
        service.stop()


def fill(service: Service, seeds: range) -> None:
    for seed in seeds:
        image = NewImage(
            picture(seed),
            id=f"sku-{seed:04}",
            filename=f"photo {seed}.png",
            label=f"label {seed % 5}",
            metadata={"price": seed, "colour": "red" if seed % 2 else "blue"},
        )
        service.gallery.add([image])


def made(root: Path, *, killed: bool) -> Folders:
    """With ``killed``, as a crash leaves them: what was written last lies in the database's log."""
    whole, older = root / "whole", root / "older"
    publish_tiny(whole / "store")
    with running(whole) as service:
        fill(service, range(IMAGES - 4))
    shutil.copytree(whole, older)
    with running(whole) as service:
        fill(service, range(IMAGES - 4, IMAGES))
        service.gallery.update("sku-0003", {"label": "other"})
        service.gallery.remove("sku-0004")
        if killed:
            shutil.copytree(whole, root / "killed")
    return Folders(root / "killed" if killed else whole, older)


@pytest.fixture(scope="module", params=["stopped", "killed"])
def folders(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Folders:
    return made(tmp_path_factory.mktemp("spoilt"), killed=request.param == "killed")


@pytest.fixture(scope="module")
def expected(folders: Folders, tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    copy = tmp_path_factory.mktemp("expected") / "copy"
    shutil.copytree(folders.whole, copy)
    with running(copy) as service:
        return answers(service)


def answers(service: Service) -> list[object]:
    """What callers can see; an error of ours stands for itself."""
    asked: list[Callable[[], object]] = [
        lambda: service.gallery.list_images(0, 1000),
        lambda: len(service.gallery),
        lambda: service.gallery.list_images(0, 1000, parse_filter('{"colour": "red"}')),
        lambda: service.gallery.list_images(0, 1000, parse_filter('{"label": "label 2"}')),
        lambda: service.active.model.manifest.model_id,
    ]
    for seed in range(IMAGES):
        asked.append(lambda seed=seed: service.gallery.image(f"sku-{seed:04}"))  # type: ignore[misc]
        asked.append(lambda seed=seed: found(service, seed))  # type: ignore[misc]
    seen: list[object] = []
    for ask in asked:
        try:
            seen.append(ask())
        except GemelloError as exc:
            seen.append(str(type(exc)))
    return seen


def found(service: Service, seed: int) -> list[tuple[str, float]]:
    page = service.searcher.search(Query([picture(seed)]), Options(IMAGES))
    return [(match.image.id, round(match.distance, 4)) for match in page.matches]


def outcome(root: Path, expected: list[object]) -> str:
    """Start on a spoilt copy, wait for a look at everything, and hold it to what it was."""
    try:
        with running(root) as service:
            if service.startup.state == "failed":
                return "refused later"
            deadline = time.monotonic() + PATIENCE_S
            while service.inspector.checked_at is None:
                assert time.monotonic() < deadline
                time.sleep(0.001)
            same = answers(service) == expected
            told = bool(service.inspector.damage or service.gallery.quarantined())
            mended = bool(service.inspector.mended)
    except GemelloError as exc:
        assert str(exc).endswith(".")
        return "refused"
    if same:
        return "told" if told else "mended" if mended else "harmless"
    return "told" if told else "WRONG"


def kept(root: Path) -> set[str]:
    """Digests of the images that are whole, wherever they lie."""
    files = [path for name in ("blobs", "quarantine") for path in (root / "data" / name).rglob("*")]
    return {digest_of(path.read_bytes()) for path in files if path.is_file()}


def spoilt(
    folders: Folders, root: Path, spoil: Callable[[Path], None], expected: list[object]
) -> str:
    copy = root / "copy"
    shutil.copytree(folders.whole, copy)
    spoil(copy)
    before = kept(copy)
    result = outcome(copy, expected)
    assert kept(copy) >= before, "a stored image was destroyed"
    shutil.rmtree(copy)
    return result


def flip(folders: Folders, draw: random.Random) -> tuple[str, Callable[[Path], None]]:
    """Every file is as likely as another, but the database as likely as all the others."""
    name = draw.choice(folders.files)
    if draw.random() < 0.5:
        name = draw.choice([each for each in folders.files if "gallery.sqlite3" in each])
    place, bit = draw.random(), draw.randrange(8)

    def spoil(root: Path) -> None:
        data = bytearray((root / name).read_bytes())
        if data:
            data[int(place * len(data))] ^= 1 << bit
            (root / name).write_bytes(data)

    return f"{name} at {place} bit {bit}", spoil


def test_a_flipped_bit_is_told_mended_or_harmless(
    folders: Folders, tmp_path: Path, expected: list[object]
) -> None:
    draw = random.Random(7)
    outcomes: dict[str, str] = {}
    for _ in range(FLIPS // 2):
        what, spoil = flip(folders, draw)
        outcomes[what] = spoilt(folders, tmp_path, spoil, expected)
    print(Counter(outcomes.values()))
    assert [what for what, result in outcomes.items() if result == "WRONG"] == []
    assert [what for what, result in outcomes.items() if result == "refused later"] == []


def _empty(path: Path, _: Path) -> None:
    path.write_bytes(b"")


def _cut(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _older(path: Path, older: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.copy(older, path)


@pytest.mark.parametrize("how", [lambda path, _: path.unlink(), _empty, _cut, _older])
def test_a_file_that_is_missing_empty_cut_or_older_is_told_mended_or_harmless(
    folders: Folders, tmp_path: Path, expected: list[object], how: Callable[[Path, Path], None]
) -> None:
    outcomes = {
        name: spoilt(
            folders,
            tmp_path,
            lambda root, name=name: how(root / name, folders.older / name),  # type: ignore[misc]
            expected,
        )
        for name in folders.files
    }
    print(Counter(outcomes.values()))
    assert [name for name, result in outcomes.items() if result == "WRONG"] == []
