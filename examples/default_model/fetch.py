"""Fetches what the default model is trained on and checked with, all of it openly licensed.

    .venv/bin/python examples/default_model/fetch.py [--from FOLDER]

Needs the npm client for the emoji, Debian's apt-get and dpkg-deb for the other packages, and the
clones of GroceryStoreDataset and Homework2-Caltech101 that README.md beside this names; ``--from`` takes a
folder that has the packages' .tgz and .deb files. Writes below ``examples/default_model/data``:

    train.csv                                          what to train, validate and test on
    train/emoji/CLASS/*, train/clipart/*               to train on
    test/emoji/{queries,gallery}/CLASS/*               symbols that no training sees
    test/clipart/*                                     drawings that no training sees
    test/stamps/KIND/*                                 photographs, used for nothing but checking

A second run gives the same files; what else lies in ``data`` stays.
"""

import argparse
import csv
import hashlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.errors import ImageError
from app.images.prepare import prepare_file
from examples.emoji import fetch as emoji
from trainer.data.near_duplicates import SIGNATURE, first_twins, signature

DATA = Path(__file__).parent / "data"
CLIPART, STAMPS = "openclipart-png", "tuxpaint-stamps-default"
# Where each Debian package keeps its pictures.
INSIDE = {CLIPART: "usr/share/openclipart/png", STAMPS: "usr/share/tuxpaint/stamps"}
# The folders of stamps that are photographs of things, and what is drawn in them.
STAMP_FOLDERS = (
    *("animals", "food", "hobbies", "household", "people", "plants", "space", "sports", "town"),
    "vehicles",
)
DRAWN = ("town/flags/", "town/roadsigns/")
# What is to be seen of photographs before a model is published: none of these is checked with.
GROCERY = "test/grocery/dataset/val"
# Half of its kinds are trained on, with so many photographs of each; the other half is checked with.
THINGS, THINGS_OF_A_KIND = "test/things/101_ObjectCategories", 30
# One is of no kind, and the other has the faces of another kind once more.
NO_KINDS = ("BACKGROUND_Google", "Faces_easy")
# Side at which pictures are compared, and the least standard deviation (0–255) of a channel of one
# with content.
SIDE, PLAIN = 256, 8


def digest(text: str) -> int:
    """A number that depends on ``text`` alone, so that everyone gets the same division."""
    return int(hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest(), 16)


def is_validation(key: str) -> bool:
    """A tenth of the emoji that are trained on; apart from the hash that chose their half."""
    return digest(f"validation/{key}") % 10 == 0


def is_test(path: str) -> bool:
    """A fifth of the clip art, by its path inside the package."""
    return digest(path) % 5 == 0


def is_trained(kind: str) -> bool:
    """Half of the kinds of things."""
    return kind not in NO_KINDS and digest(kind) % 2 == 0


def run(command: list[str], folder: Path, purpose: str) -> None:
    """Run a program of Debian's in ``folder``; where it fails, end with a sentence."""
    if shutil.which(command[0]) is None:
        sys.exit(f"{command[0]} is missing, so {purpose}; give a folder of packages with --from.")
    done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with status {done.returncode}"]
        sys.exit(f"{command[0]} failed, so {purpose}: {lines[-1]}")


def package_file(package: str, folder: Path) -> Path:
    """The .deb of ``package`` in ``folder``, the newest by name where there are several."""
    found = sorted(folder.glob(f"{package}_*.deb"))
    if not found:
        sys.exit(f"{folder} has no {package}_*.deb; get it with `apt-get download {package}`.")
    return found[-1]


def unpack(package: str, folder: Path | None, scratch: Path) -> Path:
    """The folder of pictures of a Debian package, which comes from ``folder`` or a download."""
    if folder is None:
        print(f"fetching {package}")
        run(["apt-get", "download", package], scratch, f"{package} cannot be fetched")
    archive = package_file(package, folder or scratch).resolve()
    target = scratch / package
    purpose = f"{archive.name} cannot be unpacked"
    run(["dpkg-deb", "--extract", str(archive), str(target)], scratch, purpose)
    pictures = target / INSIDE[package]
    if not pictures.is_dir():
        sys.exit(f"{archive.name} has no {INSIDE[package]}; it is another version than expected.")
    return pictures


def distinct(root: Path, paths: Iterable[Path]) -> dict[str, np.void]:
    """Paths below ``root`` → signatures, of pictures with content, each once.

    Left out are links, what does not decode, what is plain, and what looks the same pixel by pixel
    as an earlier one.
    """

    def decoded(path: Path) -> tuple[float, bytes, np.void] | None:
        try:
            pixels = prepare_file(path, SIDE).pixels
        except ImageError:
            return None
        # Within a channel: a plain red sheet varies from one channel to the next.
        spread = float(pixels.std(axis=(0, 1)).max())
        return spread, hashlib.sha256(pixels.tobytes()).digest(), signature(pixels)

    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(decoded, files))
    kept: dict[str, np.void] = {}
    seen: set[bytes] = set()
    for path, facts in zip(files, found, strict=True):
        if facts and facts[0] >= PLAIN and facts[1] not in seen:
            seen.add(facts[1])
            kept[path.relative_to(root).as_posix()] = facts[2]
    return kept


def divide_clipart(root: Path) -> tuple[list[str], list[str]]:
    """Paths below ``root`` to train on, and to test with: none that looks like a trained one."""
    paths = (p for p in sorted(root.rglob("*.png")) if "duplicates" not in p.parts)
    signatures = distinct(root, paths)
    train = [path for path in signatures if not is_test(path)]
    held_out = [path for path in signatures if is_test(path)]
    twins = first_twins(
        np.array([signatures[path] for path in held_out], SIGNATURE),
        np.array([signatures[path] for path in train], SIGNATURE),
    )
    return train, [path for path, twin in zip(held_out, twins.tolist(), strict=True) if twin < 0]


def photographs(root: Path) -> list[str]:
    """Paths of the stamps that are photographs, mirrored and flipped twins left out."""
    paths = (path.relative_to(root) for path in sorted(root.rglob("*.png")))
    return [
        path.as_posix()
        for path in paths
        if path.parts[0] in STAMP_FOLDERS
        and not path.as_posix().startswith(DRAWN)
        and "cartoon" not in path.as_posix()
        and not path.stem.endswith(("_mirror", "_flip"))
    ]


def copy(root: Path, paths: Iterable[str], target: Path) -> None:
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / path, target / path)


def lay_out_emoji(folder: Path | None, scratch: Path, data: Path) -> None:
    pictures = {}
    for style, (package, inside, suffix) in emoji.SOURCES.items():
        name = emoji.archive_name(package)
        archive = folder / name if folder else emoji.download(package, scratch)
        if not archive.is_file():
            sys.exit(f"{archive} does not exist; --from needs {name}.")
        pictures[style] = emoji.unpack(archive, inside, suffix, scratch / style)
    emoji.lay_out(pictures, scratch / "emoji")
    for part in ("train", "test"):
        shutil.move(scratch / "emoji" / part, data / part / "emoji")


def photographed(data: Path, folder: str, clone: str) -> list[Path]:
    """Paths relative to ``data`` of the photographs in ``folder``, which are in the clone of that name."""
    paths = sorted(path.relative_to(data) for path in (data / folder).rglob("*.jpg"))
    if not paths:
        sys.exit(f"{data / folder} has no photographs; clone {clone} first: see README.md.")
    return paths


def few_of_each_kind(paths: Iterable[Path]) -> list[Path]:
    """The photographs of things to train on, by a hash of their names."""
    by_kind: dict[str, list[Path]] = {}
    for path in sorted(paths, key=lambda path: digest(f"{path.parent.name}/{path.name}")):
        by_kind.setdefault(path.parent.name, []).append(path)
    return sorted(
        path
        for kind, members in by_kind.items()
        if is_trained(kind)
        for path in members[:THINGS_OF_A_KIND]
    )


def write_csv(
    data: Path, clipart: Iterable[str], groceries: Iterable[Path], things: Iterable[Path]
) -> dict[str, int]:
    """``train.csv`` below ``data``; returns the number of images of each kind and split.

    Renderings of one emoji are a class, and photographs of one kind of things; each drawing is a class of its
    own. The groceries validate, so that what is published is good for photographs of a kind that was not
    trained on, too. The symbols that are checked with are the test classes, so that the bundle's report and
    calibration have some.
    """
    rows = [
        (path, path.parent.name, "validation" if is_validation(path.parent.name) else "train")
        for path in sorted((data / "train" / "emoji").glob("*/*"))
    ]
    rows += [(data / "train" / "clipart" / path, f"clip/{path}", "train") for path in clipart]
    rows += [(data / path, path.parent.name, "train") for path in things]
    rows += [(data / path, path.parent.name, "validation") for path in groceries]
    tested = sorted((data / "test" / "emoji").glob("*/*/*"))
    rows += [(path, path.parent.name, "test") for path in tested]
    counts: dict[str, int] = {}
    with (data / "train.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("path", "label", "split"))
        for path, label, split in rows:
            inside = path.relative_to(data)
            writer.writerow((inside.as_posix(), label, split))
            kind = f"{inside.parts[1]} to {split}"
            counts[kind] = counts.get(kind, 0) + 1
    return counts


def prepare(folder: Path | None, data: Path) -> dict[str, int]:
    """Lay everything out beside ``data``, then put it in place; returns numbers of images."""
    data.mkdir(parents=True, exist_ok=True)
    groceries = photographed(data, GROCERY, "GroceryStoreDataset")
    things = few_of_each_kind(photographed(data, THINGS, "Homework2-Caltech101"))
    with tempfile.TemporaryDirectory(dir=data.parent, prefix=".staging-") as name:
        scratch, new = Path(name), Path(name) / "new"
        for part in ("train", "test"):
            (new / part).mkdir(parents=True)
        lay_out_emoji(folder, scratch, new)
        drawings = unpack(CLIPART, folder, scratch)
        train, held_out = divide_clipart(drawings)
        copy(drawings, train, new / "train" / "clipart")
        copy(drawings, held_out, new / "test" / "clipart")
        stamps = unpack(STAMPS, folder, scratch)
        photos = photographs(stamps)
        copy(stamps, photos, new / "test" / "stamps")
        counts = write_csv(new, train, groceries, things)
        for path in ("train.csv", "train", "test/emoji", "test/clipart", "test/stamps"):
            _replace(new / path, data / path)
    return {**counts, "clipart to test": len(held_out), "photographs to test": len(photos)}


def _replace(source: Path, target: Path) -> None:
    if target.is_dir():
        shutil.rmtree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    source.replace(target)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--from", dest="folder", type=Path, help="folder with the .tgz and .deb")
    counts = prepare(parser.parse_args().folder, DATA)
    for kind, count in counts.items():
        print(f"{count:6,} images of {kind}")
    print(f"written below {DATA}")


if __name__ == "__main__":
    main()
