"""Labelled images: a folder with one folder per class, or a CSV; and which classes are held out."""

import csv
import hashlib
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from gemello.image_folder import image_files, label_of
from trainer.errors import DataError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
# Classes to hold out at least, where that is at most a fifth of them.
_ENOUGH = 8


@dataclass(frozen=True, slots=True)
class Record:
    """One labelled image; ``split`` is None until classes are divided.

    ``group`` names what must not be torn apart by a split besides the class: one photographed
    object, one seller, one day.
    """

    path: Path
    label: str
    split: Split | None = None
    group: str | None = None


def read_data(source: Path) -> list[Record]:
    """Read the records of a folder of class folders, or of a CSV ``path,label[,split][,group]``.

    The label is the name of the class folder. A folder whose images lie in ``queries/CLASS/`` and
    ``gallery/CLASS/`` is read as their union: both are pictures of the class.
    Raises ``DataError`` when there is nothing to read or a line is wrong.
    """
    if source.is_dir():
        return _read_folder(source)
    if source.is_file():
        return _read_csv(source)
    raise DataError(f"{source} does not exist; give a folder of class folders, or a CSV.")


def _read_folder(source: Path) -> list[Record]:
    try:
        next(source.iterdir(), None)
    except OSError as exc:
        raise DataError(f"{source} cannot be read ({exc.strerror}).") from exc
    paths = list(image_files(source))
    roots = _roots(paths, source)
    records = [
        # One string a class, not one an image.
        Record(path, sys.intern(label))
        for path in paths
        if (label := label_of(path, roots.get(path.relative_to(source).parts[0], source)))
        is not None
    ]
    expected = f"expected {source.name}/CLASS/IMAGE, one folder per class"
    if not records and paths:
        raise DataError(f"The images of {source} lie in no class folder; {expected}.")
    if not records:
        raise DataError(f"{source} holds no images in class folders; {expected}.")
    return records


def _roots(paths: Iterable[Path], source: Path) -> dict[str, Path]:
    """``queries`` and ``gallery``, where they hold all images and each of them class folders.

    Images right below the two are those of two classes that happen to have these names.
    """
    parts = [path.relative_to(source).parts for path in paths]
    inside = [p for p in parts if len(p) > 1]
    named = {p[0] for p in inside} == {"queries", "gallery"}
    if named and all(len(p) > 2 for p in inside):
        return {name: source / name for name in ("queries", "gallery")}
    return {}


def _read_csv(source: Path) -> list[Record]:
    """Paths are relative to the CSV's own folder."""
    try:
        with source.open(newline="", encoding="utf-8-sig") as stream:
            records = list(_rows(csv.DictReader(stream), source))
    except (UnicodeDecodeError, csv.Error) as exc:
        raise DataError(f"{source} is not a CSV in UTF-8 ({exc}).") from exc
    except OSError as exc:
        raise DataError(f"{source} cannot be read ({exc.strerror}).") from exc
    if not records:
        raise DataError(f"{source} lists no images.")
    return records


def _rows(reader: "csv.DictReader[str]", source: Path) -> Iterator[Record]:
    if not {"path", "label"} <= set(reader.fieldnames or ()):
        raise DataError(f"{source} needs the columns path and label (and may have split, group).")
    for row in reader:
        line = f"{source}, line {reader.line_num}"
        path, label, split, group = (row.get(key) for key in ("path", "label", "split", "group"))
        if not path or not label:
            raise DataError(f"{line}: path or label is missing.")
        # DictReader keeps surplus fields under None: an unquoted comma in a path, most likely.
        if None in row:
            raise DataError(f"{line} has more fields than the header; quote those with commas.")
        if "\0" in path + label:
            raise DataError(f"{line}: path or label holds a zero byte.")
        if split and split not in SPLITS:
            raise DataError(f"{line}: split {split!r} is none of {', '.join(SPLITS)}.")
        yield Record(
            source.parent / path,
            sys.intern(label),
            split or None,
            sys.intern(group) if group else None,
        )


def divide(
    records: Sequence[Record], validation: float, test: float, seed: int = 0
) -> list[Record]:
    """Give every class one split; given splits are kept. Shares are of classes, not of images.

    Classes that share a group are joined and go to one split together: a group is one photographed
    object, one seller, one day, and a model that saw it in one class would know it again in another.
    Classes joined through a third one are joined as well, so groups that run through all classes
    leave nothing to hold out.

    Joined classes are put in order by a hash of the first name and ``seed``, so that a class which
    comes later moves only those at a border between splits; those that are too many for what is
    left of a held-out share are trained on.
    Raises ``DataError`` when a given split tears a class or a group apart, or too few classes are
    left.
    """
    given: dict[str, set[Split]] = {}
    for record in records:
        splits = given.setdefault(record.label, set())
        if record.split:
            splits.add(record.split)
    chosen: dict[str, Split] = {}
    free: list[list[str]] = []
    for joined in _joined(records):
        splits = set().union(*(given[label] for label in joined))
        if len(splits) > 1:
            raise DataError(_torn(joined, given))
        if splits:
            chosen.update(dict.fromkeys(joined, next(iter(splits))))
        else:
            free.append(joined)
    free.sort(key=lambda joined: hashlib.sha256(f"{seed}/{joined[0]}".encode()).digest())
    room = _held_out(sum(map(len, free)), validation, test)
    for joined in free:
        held = (s for s, left in room.items() if left >= len(joined))
        split: Split = next(held, "train")
        chosen.update(dict.fromkeys(joined, split))
        if split in room:
            room[split] -= len(joined)
    if sum(split == "train" for split in chosen.values()) < 2:
        raise DataError(
            f"Only {len(given)} classes, too few to train on; at least two must be left for training."
        )
    return [replace(record, split=chosen[record.label]) for record in records]


def _joined(records: Iterable[Record]) -> list[list[str]]:
    """Labels that must stay together, each list in order of name: connected components."""
    # Only a division needs SciPy, which the service has not.
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    labels: dict[str, int] = {}
    groups: dict[str, list[int]] = {}
    for record in records:
        number = labels.setdefault(record.label, len(labels))
        if record.group is not None:
            groups.setdefault(record.group, []).append(number)
    edges = [edge for members in groups.values() for edge in pairwise(members)]
    rows, columns = zip(*edges, strict=True) if edges else ((), ())
    graph = coo_array(([1] * len(edges), (rows, columns)), (len(labels), len(labels)))
    _, component = connected_components(graph, directed=False)
    joined: dict[int, list[str]] = {}
    for label in sorted(labels):
        joined.setdefault(int(component[labels[label]]), []).append(label)
    return list(joined.values())


def _torn(joined: Sequence[str], given: dict[str, set[Split]]) -> str:
    for label in joined:
        if len(given[label]) > 1:
            return f"The class {label!r} is in two splits; a class must be in one."
    first = next(label for label in joined if given[label])
    second = next(label for label in joined if given[label] and given[label] != given[first])
    return (
        f"The classes {first!r} and {second!r} are joined by a group but in two splits; what shares "
        "a group must be in one."
    )


def _held_out(classes: int, validation: float, test: float) -> dict[Split, int]:
    """How many classes to hold out; a small collection trains on all but what it can spare.

    Up to 8 where the share would be fewer: what fewer say is mostly chance.
    """
    n_validation, n_test = (
        max(round(classes * share), min(_ENOUGH, classes // 5)) if share else 0
        for share in (validation, test)
    )
    while classes - n_validation - n_test < 2 and n_validation + n_test:
        n_test, n_validation = max(n_test - 1, 0), n_validation - (n_test == 0)
    return {"validation": n_validation, "test": n_test}


def of_split(records: Iterable[Record], split: Split) -> list[Record]:
    return [record for record in records if record.split == split]


def without_single_images(records: Sequence[Record]) -> tuple[list[Record], int]:
    """Return the records whose class has a second image, and how many classes were left out for having one.

    A class of one image has no positive pair, so it can neither teach nor be tested.
    """
    counts = Counter(record.label for record in records)
    kept = [record for record in records if counts[record.label] > 1]
    return kept, sum(count == 1 for count in counts.values())


def numbered(records: Sequence[Record]) -> list[int]:
    """Return the labels as numbers from 0, in order of name."""
    numbers = {label: i for i, label in enumerate(sorted({r.label for r in records}))}
    return [numbers[record.label] for record in records]
