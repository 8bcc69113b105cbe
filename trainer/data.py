"""Labelled images: a folder with one folder per class, or a CSV; and which classes are held out."""

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, get_args

from app.folder_import import image_files, label_of
from trainer.errors import DataError

Split = Literal["train", "validation", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)


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
    """Records of a folder with one folder per class, or of a CSV ``path,label[,split]``.

    Raises ``DataError`` when there is nothing to read or a line is wrong.
    """
    if source.is_dir():
        records = [
            Record(path, label)
            for path in image_files(source)
            if (label := label_of(path, source)) is not None
        ]
        if not records:
            raise DataError(
                f"{source} holds no images in class folders; expected {source.name}/CLASS/IMAGE."
            )
        return records
    if source.is_file():
        return _read_csv(source)
    raise DataError(f"{source} does not exist; give a folder of class folders, or a CSV.")


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
        raise DataError(f"{source} needs the columns path and label (and may have split).")
    for number, row in enumerate(reader, start=2):
        path, label, split = row["path"], row["label"], row.get("split") or None
        if not path or not label:
            raise DataError(f"{source}, line {number}: path or label is missing.")
        if "\0" in path + label:
            raise DataError(f"{source}, line {number}: path or label holds a zero byte.")
        if split not in (None, *SPLITS):
            raise DataError(
                f"{source}, line {number}: split {split!r} is none of {', '.join(SPLITS)}."
            )
        yield Record(source.parent / path, label, split)


def divide(
    records: Sequence[Record], validation: float, test: float, seed: int = 0
) -> list[Record]:
    """Give every class one split; given splits are kept. Shares are of classes, not of images.

    Classes are put in order by a hash of name and ``seed``, so that a class which comes later moves
    only those at a border between splits.
    Raises ``DataError`` when a given split tears a class apart or too few classes are left.
    """
    given: dict[str, set[Split]] = {}
    for record in records:
        splits = given.setdefault(record.label, set())
        if record.split:
            splits.add(record.split)
    torn = sorted(label for label, splits in given.items() if len(splits) > 1)
    if torn:
        raise DataError(f"The class {torn[0]!r} is in two splits; a class must be in one.")
    free = sorted(
        (label for label, splits in given.items() if not splits),
        key=lambda label: hashlib.sha256(f"{seed}/{label}".encode()).digest(),
    )
    held = _held_out(len(free), validation, test)
    chosen: dict[str, Split] = {label: next(iter(s)) for label, s in given.items() if s}
    chosen.update(zip(free, held, strict=True))
    if sum(split == "train" for split in chosen.values()) < 2:
        raise DataError(
            f"Only {len(given)} classes, too few to train on; at least two must be left for training."
        )
    return [replace(record, split=chosen[record.label]) for record in records]


def _held_out(classes: int, validation: float, test: float) -> list[Split]:
    """Splits in order for that many classes; a small collection trains on all but what it can spare."""
    n_validation = round(classes * validation)
    n_test = round(classes * test)
    while classes - n_validation - n_test < 2 and n_validation + n_test:
        n_test, n_validation = max(n_test - 1, 0), n_validation - (n_test == 0)
    n_train = classes - n_validation - n_test
    return [*["validation"] * n_validation, *["test"] * n_test, *["train"] * n_train]  # type: ignore[list-item]


def of_split(records: Iterable[Record], split: Split) -> list[Record]:
    return [record for record in records if record.split == split]


def without_single_images(records: Sequence[Record]) -> tuple[list[Record], int]:
    """Records whose class has a second image, and how many classes were left out for having one.

    A class of one image has no positive pair, so it can neither teach nor be tested.
    """
    counts = Counter(record.label for record in records)
    kept = [record for record in records if counts[record.label] > 1]
    return kept, sum(count == 1 for count in counts.values())


def numbered(records: Sequence[Record]) -> list[int]:
    """Labels as numbers from 0, in order of name."""
    numbers = {label: i for i, label in enumerate(sorted({r.label for r in records}))}
    return [numbers[record.label] for record in records]
