"""Decoded images on disk, read by position: memory holds a batch, whatever the data's size."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainer.data.cache_build import FACT, build, complete, read_bad
from trainer.data.records import Record
from trainer.data.rows import ImageFile, RowFile
from trainer.errors import DataError

# Part of the name, so that a cache of another layout is not taken for one of this.
_LAYOUT = 2


@dataclass(frozen=True, slots=True)
class ImageCache:
    """``images`` is uint8 [N, size, size, 3] on disk; ``records`` has the N images that decode.

    ``facts`` [N] of ``trainer.data.cache_build.FACT`` holds their hashes, on disk as well. ``bad`` names each
    file left out, and why; ``content`` is a SHA-256 over labels and bytes of the N. ``folder`` is
    where all caches lie.
    """

    images: ImageFile
    records: list[Record]
    facts: RowFile
    bad: dict[str, str]
    content: str
    folder: Path

    def subset(self, places: npt.NDArray[Any]) -> "ImageCache":
        """The images at ``places`` (integers, or a mask [N]) alone; ``bad`` stays."""
        chosen = np.arange(len(self.records))[places]
        records = [self.records[place] for place in chosen.tolist()]
        facts = self.facts.subset(chosen)
        return ImageCache(
            self.images.subset(chosen),
            records,
            facts,
            self.bad,
            _content(records, facts),
            self.folder,
        )


def open_cache(
    records: Sequence[Record], size: int, folder: Path, advance: Callable[[int], None]
) -> ImageCache:
    """Decode every image to ``size`` × ``size`` once; a second call finds the result.

    ``advance`` is told how many images are done. The result is renamed into place when complete;
    a build that was interrupted goes on where it stopped. Raises ``DataError`` when ``folder``
    cannot be written to, is too small, or what it holds is damaged.
    """
    target = folder / f"{fingerprint(records)}-{size}"
    if complete(target):
        advance(len(records))
    else:
        try:
            build(records, size, target, advance)
        except OSError as exc:
            raise DataError(
                f"Decoded images cannot be written to {folder} ({exc.strerror}); "
                "name another folder with --cache."
            ) from exc
    try:
        state = json.loads((target / "done.json").read_text())
        count, bad = int(state["images"]), read_bad(state)
        kept = [record for place, record in enumerate(records) if place not in bad]
        if len(kept) != count:
            raise ValueError("done.json contradicts itself")
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise DataError(f"{target} is damaged ({exc}); delete it and train again.") from exc
    images = ImageFile(target / "images.bin", count, size)
    facts = RowFile(target / "facts.bin", count, (), FACT)
    named = {str(records[place].path): reason for place, reason in bad.items()}
    return ImageCache(images, kept, facts, named, _content(kept, facts), folder)


def without_single_images(cache: ImageCache) -> tuple[ImageCache, int]:
    """Images whose class has a second one, and how many classes were left out for having one.

    As of ``trainer.data.records``, but of what decodes and is no copy.
    """
    counts = Counter(record.label for record in cache.records)
    single = sum(count == 1 for count in counts.values())
    if not single:
        return cache, 0
    return cache.subset(np.array([counts[r.label] > 1 for r in cache.records], bool)), single


def at_most(cache: ImageCache, limit: int, seed: int) -> ImageCache:
    """``limit`` images or a few less, of classes drawn at random; all where there are no more.

    Whole classes while one is no larger than its share: a tenth, or half where there are but two.
    """
    if len(cache.records) <= limit:
        return cache
    rng = np.random.default_rng(seed)
    codes = np.unique([record.label for record in cache.records], return_inverse=True)[1]
    classes = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    share = limit // min(len(classes), 10)
    chosen, count = np.zeros(len(codes), bool), 0
    for number in rng.permutation(len(classes)).tolist():
        places = classes[number]
        if len(places) > share:
            places = rng.choice(places, share, replace=False)
        if count + len(places) <= limit:
            chosen[places] = True
            count += len(places)
    return cache.subset(chosen)


def fingerprint(records: Sequence[Record]) -> str:
    """SHA-256 over paths, sizes and times of change: cheap, and new whenever a file is.

    The time is that of the inode, which a change of permissions moves as well: a file that could
    not be read is then tried again.
    """
    digest = hashlib.sha256(f"{_LAYOUT}\n".encode())
    for record in records:
        try:
            status = record.path.stat()
            facts = f"{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"
        except OSError:
            facts = "missing"
        digest.update(f"{record.path}|{facts}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _content(records: Sequence[Record], facts: RowFile) -> str:
    content = hashlib.sha256()
    for record, sha256 in zip(records, facts[:]["sha256"], strict=True):
        content.update(f"{record.label}|{sha256.tobytes().hex()}\n".encode())
    return content.hexdigest()
