"""The default model's data: what is trained on, what is held out, and packages that are not there."""

import csv
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from tests.support.images import encode, photo, picture
from trainer.data.records import Record, of_split, read_data

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "default_model" / "fetch.py"


@pytest.fixture(scope="module")
def fetch() -> ModuleType:
    spec = spec_from_file_location("default_model_fetch", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def put(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def put_photographs(data: Path, fetch: ModuleType) -> None:
    """One grocery, and things of two kinds: the one is trained on, the other is not."""
    put(data / fetch.GROCERY / "Vegetables" / "Carrots" / "1.jpg", encode(photo()))
    for kind in ("ant", "lamp"):
        for number in range(fetch.THINGS_OF_A_KIND + 2):
            put(data / fetch.THINGS / kind / f"{number:02d}.jpg", encode(photo(number, 8, 8)))


@pytest.fixture
def packages(tmp_path: Path, fetch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of packages whose pictures are drawn here, with a dpkg-deb that copies folders."""
    from tests.examples.test_emoji import pack

    folder = tmp_path / "packages"
    folder.mkdir()
    for package, inside, suffix in fetch.emoji.SOURCES.values():
        kind = "PNG" if suffix == ".png" else "WEBP"
        names = [f"{0x1F600 + i:x}" for i in range(40)]
        files = {f"{inside}{name}{suffix}": picture(i, kind) for i, name in enumerate(names)}
        pack(folder / fetch.emoji.archive_name(package), files)

    drawings = folder / "openclipart-png_1.deb" / fetch.INSIDE[fetch.CLIPART]
    for i in range(30):
        put(drawings / "animals" / f"{i:02d}.png", picture(100 + i))
    put(drawings / "buildings" / "again.png", picture(100))
    put(drawings / "unsorted" / "duplicates" / "old.png", picture(500))
    put(drawings / "unsorted" / "plain.png", encode(Image.new("RGB", (40, 40), "red")))
    put(drawings / "unsorted" / "broken.png", b"no picture")
    (drawings / "animals" / "0.png").symlink_to("29.png")

    stamps = folder / "tuxpaint-stamps-default_1.deb" / fetch.INSIDE[fetch.STAMPS]
    for name in (
        "animals/birds/duck.png",
        "animals/birds/duck_mirror.png",
        "animals/birds/cartoon/tux.png",
        "symbols/a.png",
        "clothes/hat.png",
        "town/flags/red.png",
        "town/box_flip.png",
    ):
        put(stamps / name, picture(7))

    binary = tmp_path / "bin" / "dpkg-deb"
    put(binary, b'#!/bin/sh\nexec cp -R "$2" "$3"\n')
    binary.chmod(0o755)
    monkeypatch.setenv("PATH", f"{binary.parent}:/usr/bin:/bin")
    return folder


def laid_out(data: Path) -> dict[str, bytes]:
    files = (path for path in data.rglob("*") if path.is_file())
    return {path.relative_to(data).as_posix(): path.read_bytes() for path in files}


def test_what_is_trained_on_and_what_is_held_out(
    fetch: ModuleType, packages: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    put_photographs(data, fetch)
    counts = fetch.prepare(packages, data)
    records = read_data(data / "train.csv")
    assert all(record.path.is_file() for record in records)
    carrot = data / fetch.GROCERY / "Vegetables" / "Carrots" / "1.jpg"
    assert records.pop(records.index(Record(carrot, "Carrots", "validation")))
    ants = [record for record in records if record.label == "ant"]
    assert {(a.path.parent, a.split) for a in ants} == {(data / fetch.THINGS / "ant", "train")}
    assert len(ants) == fetch.THINGS_OF_A_KIND
    records = [record for record in records if record not in ants]
    listed = {record.path.resolve() for record in records}
    assert listed == {
        path.resolve() for part in ("train", "test/emoji") for path in (data / part).rglob("*.*")
    }

    symbols = {r.label: r.split for r in records if not r.label.startswith("clip/")}
    expected = {f"{0x1F600 + i:x}" for i in range(40)}
    assert set(symbols) == expected
    held = {path.name for path in (data / "test" / "emoji" / "queries").iterdir()}
    assert held == {key for key in expected if fetch.emoji.is_test(key)}
    for label, split in symbols.items():
        chosen = "validation" if fetch.is_validation(label) else "train"
        assert split == ("test" if label in held else chosen)
        assert sum(r.label == label for r in records) == 3
    assert set(symbols.values()) == {"train", "validation", "test"}

    drawings = [r for r in records if r.label.startswith("clip/")]
    assert {r.split for r in drawings} == {"train"}
    assert len({r.label for r in drawings}) == len(drawings)
    tested = {
        path.relative_to(data / "test" / "clipart").as_posix()
        for path in (data / "test" / "clipart").rglob("*.png")
    }
    trained = {r.label.removeprefix("clip/") for r in drawings}
    assert trained | tested == {f"animals/{i:02d}.png" for i in range(30)}
    assert tested == {path for path in trained | tested if fetch.is_test(path)}
    assert trained
    assert tested

    assert [p.name for p in (data / "test" / "stamps").rglob("*.png")] == ["duck.png"]
    assert counts == {
        **{
            f"emoji to {split}": 3 * sum(own == split for own in symbols.values())
            for split in ("train", "validation", "test")
        },
        "clipart to train": len(trained),
        "things to train": len(ants),
        "grocery to validation": 1,
        "clipart to test": len(tested),
        "photographs to test": 1,
    }
    assert not any("lamp" in record.path.parts for record in records)
    assert len(of_split(records, "train")) == counts["emoji to train"] + len(trained)
    with (data / "train.csv").open(newline="") as stream:
        assert next(csv.reader(stream)) == ["path", "label", "split"]


def test_a_second_run_gives_the_same_and_leaves_other_files_alone(
    fetch: ModuleType, packages: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    put_photographs(data, fetch)
    fetch.prepare(packages, data)
    first = laid_out(data)
    put(data / "test" / "grocery" / "dataset" / "a.jpg", b"mine")
    put(data / "train" / "clipart" / "left-over.png", b"of another version")
    fetch.prepare(packages, data)
    assert laid_out(data) == {**first, "test/grocery/dataset/a.jpg": b"mine"}
    assert not list(tmp_path.glob(".staging-*"))


def test_a_held_out_drawing_that_looks_like_a_trained_one_is_left_out(
    fetch: ModuleType, tmp_path: Path
) -> None:
    names = [f"{i:02d}.png" for i in range(100)]
    held = next(name for name in names if fetch.is_test(name))
    trained = next(name for name in names if not fetch.is_test(name))
    other = next(name for name in names if fetch.is_test(name) and name != held)
    image = photo(1, 256, 256)
    image.save(tmp_path / trained)
    darker = np.asarray(image).astype(int) - 3
    Image.fromarray(darker.clip(0, 255).astype(np.uint8)).save(tmp_path / held)
    photo(2, 256, 256).save(tmp_path / other)
    assert fetch.divide_clipart(tmp_path) == ([trained], [other])


def test_the_tenth_to_validate_does_not_follow_the_half(fetch: ModuleType) -> None:
    keys = [f"{0x1F000 + i:x}" for i in range(4000)]
    half = [key for key in keys if not fetch.emoji.is_test(key)]
    share = sum(map(fetch.is_validation, half)) / len(half)
    assert 0.08 < share < 0.12


def test_missing_packages_are_named(tmp_path: Path, fetch: ModuleType) -> None:
    with pytest.raises(SystemExit, match=r"no openclipart-png_\*\.deb.*apt-get download"):
        fetch.unpack(fetch.CLIPART, tmp_path, tmp_path)
    with pytest.raises(SystemExit, match="photographs; clone GroceryStoreDataset first"):
        fetch.prepare(tmp_path, tmp_path / "data")
    put(tmp_path / "data" / fetch.GROCERY / "Fruit" / "Kiwi" / "1.jpg", b"")
    with pytest.raises(SystemExit, match="photographs; clone Homework2-Caltech101 first"):
        fetch.prepare(tmp_path, tmp_path / "data")
    put(tmp_path / "data" / fetch.THINGS / "ant" / "1.jpg", b"")
    with pytest.raises(SystemExit, match=r"emoji-datasource-google-16\.0\.0\.tgz"):
        fetch.prepare(tmp_path, tmp_path / "data")
    assert not list(tmp_path.glob(".staging-*"))


def test_missing_tools_and_their_failures_are_said(
    tmp_path: Path, fetch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"apt-get is missing.*--from"):
        fetch.unpack(fetch.STAMPS, None, tmp_path)
    tool = tmp_path / "apt-get"
    tool.write_text('#!/bin/sh\necho "E: Unable to locate package" >&2\nexit 100\n')
    tool.chmod(0o755)
    with pytest.raises(SystemExit, match=r"stamps-default cannot be fetched: E: Unable"):
        fetch.unpack(fetch.STAMPS, None, tmp_path)


def test_a_package_of_another_shape_is_named(
    tmp_path: Path, fetch: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "openclipart-png_9_all.deb").write_bytes(b"")
    tool = tmp_path / "dpkg-deb"
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    with pytest.raises(SystemExit, match=r"openclipart-png_9_all\.deb has no usr/share"):
        fetch.unpack(fetch.CLIPART, tmp_path, tmp_path)
