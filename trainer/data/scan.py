"""Finds unusable images: unreadable, duplicated, in two classes, or in two splits.

Nothing of it stops a run. Every file is named and left out, and the rest is trained on.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from app.images.square import Resize
from trainer.data.cache import ImageCache, open_cache
from trainer.data.near_duplicates import first_twins
from trainer.data.records import SPLITS, Record, Split, of_split

Mask = npt.NDArray[np.bool_]
Kind = Literal["unreadable", "duplicate", "conflict", "near_duplicate"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# Of which split, what is nearly the same as an image of which other is left out.
_HONEST: tuple[tuple[Split, Split], ...] = (
    ("validation", "test"),
    ("train", "validation"),
    ("train", "test"),
)
_TOLD: dict[Kind, tuple[str, str]] = {
    "unreadable": ("file cannot be read", "files cannot be read"),
    "duplicate": (
        "file is a copy of another of its class",
        "files are copies of others of their class",
    ),
    "conflict": (
        "file lies in two classes, of which the first was kept",
        "files lie in two classes, of which the first was kept",
    ),
    "near_duplicate": (
        "image is nearly the same as one held out to validate or test",
        "images are nearly the same as some held out to validate or test",
    ),
}


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that takes no part; ``reason`` is a sentence."""

    path: Path
    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Scan:
    """What is left of each split, decoded, and every file that was left out, by kind."""

    caches: dict[Split, ImageCache]
    left_out: list[LeftOut]

    @property
    def counts(self) -> dict[Kind, int]:
        found = Counter(item.kind for item in self.left_out)
        return {kind: found[kind] for kind in KINDS}

    def summary(self) -> list[str]:
        """Return a sentence for each kind that occurs, with its number."""
        return [
            f"{count} {_TOLD[kind][count > 1]}; left out."
            for kind, count in self.counts.items()
            if count
        ]


def scan(
    records: Sequence[Record],
    size: int,
    folder: Path,
    advance: Callable[[int], None],
    resize: Resize = "stretch",
) -> Scan:
    """Decode every image once at ``size``, and leave out the unusable ones.

    ``records`` are divided already. Left out are files that do not decode; the second and later of
    the same bytes (SHA-256), be they of one class or, as a contradiction, of two; then of
    training what is a near-duplicate (``trainer.data.near_duplicates``) of a validation or test image,
    and of validation what is one of a test image, so that no query was seen
    in training. ``folder`` keeps decoded images and hashes: a second run reads no file. ``advance`` is
    told how many images are done, ``len(records)`` in all. Raises ``DataError`` as ``open_cache``.
    """
    if any(record.split is None for record in records):
        raise ValueError("the records are not divided into splits")
    caches = {s: open_cache(of_split(records, s), size, folder, advance, resize) for s in SPLITS}
    left_out = [
        LeftOut(Path(path), "unreadable", reason)
        for cache in caches.values()
        for path, reason in cache.bad.items()
    ]
    keep = {split: np.ones(len(cache.records), bool) for split, cache in caches.items()}
    left_out += _same_bytes(records, caches, keep)
    caches = {split: _kept(cache, keep[split]) for split, cache in caches.items()}
    for split, held_out in _HONEST:
        mine, theirs = caches[split], caches[held_out]
        twins = first_twins(mine.metadata[:]["signature"], theirs.metadata[:]["signature"])
        left_out += [
            LeftOut(
                mine.records[index].path,
                "near_duplicate",
                f"It is nearly the same picture as {theirs.records[twins[index]].path}, "
                f"which is held out for {held_out}.",
            )
            for index in np.flatnonzero(twins >= 0).tolist()
        ]
        caches[split] = _kept(mine, twins < 0)
    return Scan(caches, left_out)


def _same_bytes(
    records: Sequence[Record], caches: Mapping[Split, ImageCache], keep: dict[Split, Mask]
) -> list[LeftOut]:
    """Clear in ``keep`` all but the first, in the order of ``records``, of the same bytes."""
    indices = [(s, i) for s in SPLITS for i in range(len(caches[s].records))]
    order = np.argsort(_order(records, caches), kind="stable")
    digests = {split: cache.metadata[:]["sha256"] for split, cache in caches.items()}
    first: dict[bytes, tuple[Split, int]] = {}
    left_out = []
    for split, index in (indices[i] for i in order.tolist()):
        kept, at = first.setdefault(digests[split][index].tobytes(), (split, index))
        if (kept, at) != (split, index):
            keep[split][index] = False
            left_out.append(_copy(caches[split].records[index], caches[kept].records[at]))
    return left_out


def _order(records: Sequence[Record], caches: Mapping[Split, ImageCache]) -> Any:
    """Return the index in ``records`` of every image of ``caches``, one split after the other."""
    splits = np.array([SPLITS.index(record.split or "train") for record in records], np.int8)
    return np.concatenate(
        [np.flatnonzero(splits == i)[caches[s].metadata[:]["record"]] for i, s in enumerate(SPLITS)]
    )


def _copy(record: Record, other: Record) -> LeftOut:
    twice = record.path == other.path
    same = "It is listed twice" if twice else f"It has the same bytes as {other.path}"
    if record.label == other.label:
        return LeftOut(record.path, "duplicate", f"{same}.")
    reason = f"{same}, once in the class {other.label!r} and once in {record.label!r}."
    return LeftOut(record.path, "conflict", reason)


def _kept(cache: ImageCache, mask: Mask) -> ImageCache:
    return cache if mask.all() else cache.subset(mask)
