"""What the default model is checked on: which pictures are searched among which.

Nothing here is trained on. Pictures come as bytes, so that all of them go the way that a query to
the service goes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.default_model.edited_copies import EDITS, edited, open_original
from benchmarks.default_model.sources import Sources
from examples.default_model.fetch import NO_KINDS, is_trained
from gemello.image_folder import image_files, label_of

# Longer side from which on a picture is edited.
_LEAST = 96
_THINGS_OF_A_KIND = 25


@dataclass(frozen=True, slots=True)
class Picture:
    """A file, or an edited copy of it; ``parts`` are the groups that it is also counted in."""

    path: Path
    label: str
    parts: tuple[str, ...] = ()
    edit: str | None = None
    key: str = ""

    def read(self) -> bytes:
        """The encoded picture. Raises ``OSError`` when its file cannot be read."""
        if self.edit is None:
            return self.path.read_bytes()
        return edited(open_original(self.path), self.edit, self.key)


@dataclass(frozen=True, slots=True)
class Check:
    """``queries`` searched in ``gallery``, or each in all the others where that is None."""

    name: str
    queries: Sequence[Picture]
    gallery: Sequence[Picture] | None = None


@dataclass(frozen=True, slots=True)
class Missing:
    """A check that cannot be made: what is not there, and the command that gets it."""

    check: str
    folder: Path
    command: str

    def __str__(self) -> str:
        return f"{self.check}: {self.folder} has no images; get them with: {self.command}"


def find_checks(where: Sources, each: int, seed: int) -> tuple[list[Check], list[Missing]]:
    """The checks that can be made here, and those that cannot.

    At most ``each`` originals of a folder are edited, drawn by ``seed``, as are the things of a kind.
    """
    grocery = where.grocery / "dataset"
    clothing = [where.clothing / part for part in ("train", "validation", "test")]
    plans: list[tuple[str, list[Path], Callable[[str], Check]]] = [
        ("emoji", [where.emoji / "queries", where.emoji / "gallery"], lambda n: emoji(n, where)),
        (
            "edited copies",
            [where.clipart, grocery / "test", where.stamps, where.emoji / "gallery"],
            lambda n: edited_copies(n, where, each, seed),
        ),
        ("photographs: stamps", [where.stamps], lambda n: stamps(n, where)),
        ("photographs: grocery", [grocery / "train", grocery / "test"], lambda n: shop(n, where)),
        ("photographs: clothing", clothing, lambda n: clothes(n, where)),
        (
            "photographs: things",
            [where.things / "101_ObjectCategories"],
            lambda n: things(n, where, seed),
        ),
    ]
    checks, missing = [], []
    for name, folders, make in plans:
        empty = [folder for folder in folders if not _has_images(folder)]
        missing += [Missing(name, folder, where.command(folder)) for folder in empty]
        if not empty:
            checks.append(make(name))
    return checks, missing


def emoji(name: str, where: Sources) -> Check:
    """One rendering of each symbol searched among two others."""
    return Check(name, _by_class(where.emoji / "queries"), _by_class(where.emoji / "gallery"))


def edited_copies(name: str, where: Sources, each: int, seed: int) -> Check:
    """Every edit of every original, searched among all originals and the emoji that are tested with.

    A folder holds a series: the same crate from elsewhere, the next card of a pack, one more rosette.
    Edited copies of all of them would ask which of two equals was edited, so a folder gives few.
    Icons are left out: half of one as a JPEG of low quality is a smudge.
    """
    kinds = {
        "clip art": where.clipart,
        "photographs": where.grocery / "dataset" / "test",
        "cut-out photographs": where.stamps,
    }
    originals, copies = [], []
    for kind, folder in kinds.items():
        for path in _few_of_each_folder(folder, each, np.random.default_rng(seed)):
            inside = path.relative_to(folder).as_posix()
            label = f"{kind}/{inside}"
            originals.append(Picture(path, label))
            copies += [
                Picture(path, label, (kind, edit), edit, f"{seed}/{label}") for edit in EDITS
            ]
    bystanders = [*_by_class(where.emoji / "gallery"), *_by_class(where.emoji / "queries")]
    return Check(name, copies, [*originals, *bystanders])


def stamps(name: str, where: Sources) -> Check:
    """Each photograph searched in all the others; what lies in a folder is of one kind.

    Kinds with one photograph are not asked for, but stay as wrong answers.
    """
    return Check(name, _by_folder(where.stamps))


def shop(name: str, where: Sources) -> Check:
    """Test photographs searched among training photographs of the same 81 kinds of goods.

    Klasson, Zhang & Kjellström, "A Hierarchical Grocery Store Image Dataset with Visual and
    Semantic Labels", arXiv:1901.00711.
    """
    dataset = where.grocery / "dataset"
    # One kind lies in another folder in one of the two, so its own name is its label.
    queries, gallery = (
        [replace(picture, label=picture.path.parent.name) for picture in _by_folder(dataset / part)]
        for part in ("test", "train")
    )
    return Check(name, queries, gallery)


def clothes(name: str, where: Sources) -> Check:
    """Photographs of ten kinds of clothes, those held out searched among the others."""
    test, validation, train = (
        _by_class(where.clothing / part) for part in ("test", "validation", "train")
    )
    return Check(name, [*test, *validation], train)


def things(name: str, where: Sources, seed: int) -> Check:
    """Few photographs of each kind of things and animals that is not trained on, each searched in all the others.

    Li, Andreeto, Ranzato & Perona, "Caltech 101", https://doi.org/10.22002/D1.20086.
    """
    root = where.things / "101_ObjectCategories"
    drawn = _few_of_each_folder(root, _THINGS_OF_A_KIND, np.random.default_rng(seed))
    kinds = [Picture(path, path.parent.name) for path in drawn]
    asked = [p for p in kinds if p.label not in NO_KINDS and not is_trained(p.label)]
    return Check(name, asked)


def _few_of_each_folder(root: Path, each: int, rng: np.random.Generator) -> list[Path]:
    folders: dict[Path, list[Path]] = {}
    for path in image_files(root):
        if _is_large(path):
            folders.setdefault(path.parent, []).append(path)
    return [
        paths[place]
        for _, paths in sorted(folders.items())
        for place in sorted(rng.permutation(len(paths))[:each])
    ]


def _by_class(root: Path) -> list[Picture]:
    return [Picture(path, label_of(path, root) or "") for path in image_files(root)]


def _by_folder(root: Path) -> list[Picture]:
    """The label is the whole way down to the file's folder."""
    return [Picture(path, path.parent.relative_to(root).as_posix()) for path in image_files(root)]


def _has_images(folder: Path) -> bool:
    return folder.is_dir() and next(image_files(folder), None) is not None


def _is_large(path: Path) -> bool:
    """A file that is not a picture counts as one, and is named when it is read."""
    try:
        with Image.open(path) as image:
            return max(image.size) >= _LEAST
    except OSError:
        return True
