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

from app.images.square import Resize
from trainer.data.cache_build import METADATA, build, complete, read_bad
from trainer.data.records import Record
from trainer.data.rows import ImageFile, RowFile
from trainer.errors import DataError

# Part of the name, so that a cache of another layout is not taken for one of this.
_LAYOUT = 3


@dataclass(frozen=True, slots=True)
class ImageCache:
    """``images`` is uint8 [N, size, size, 3] on disk; ``records`` has the N images that decode.

    ``metadata`` [N] of ``METADATA`` holds their hashes and original sides, on disk as well. ``bad`` names each
    file left out, and why; ``content`` is a SHA-256 over labels and bytes of the N. ``folder`` is
    where all caches lie.
    """

    images: ImageFile
    records: list[Record]
    metadata: RowFile
    bad: dict[str, str]
    content: str
    folder: Path

    @property
    def size(self) -> int:
        """Side of the cached images, in pixels."""
        return self.images.shape[1]

    def subset(self, indices: npt.NDArray[Any]) -> "ImageCache":
        """Return the images at ``indices`` (integers, or a mask [N]) alone; ``bad`` stays."""
        chosen = np.arange(len(self.records))[indices]
        records = [self.records[index] for index in chosen.tolist()]
        metadata = self.metadata.subset(chosen)
        return ImageCache(
            self.images.subset(chosen),
            records,
            metadata,
            self.bad,
            _content(records, metadata),
            self.folder,
        )


def open_cache(
    records: Sequence[Record],
    size: int,
    folder: Path,
    advance: Callable[[int], None],
    resize: Resize = "stretch",
) -> ImageCache:
    """Decode every image to ``size`` × ``size`` by ``resize`` once; a second call finds the result.

    ``advance`` is told how many images are done. The result is renamed into place when complete;
    a build that was interrupted goes on where it stopped. Raises ``DataError`` when ``folder``
    cannot be written to, is too small, or what it holds is damaged.
    """
    how = "" if resize == "stretch" else f"-{resize}"
    target = folder / f"{fingerprint(records)}-{size}{how}"
    if complete(target):
        advance(len(records))
    else:
        try:
            build(records, size, resize, target, advance)
        except OSError as exc:
            raise DataError(
                f"Decoded images cannot be written to {folder} ({exc.strerror}); "
                "name another folder with --cache."
            ) from exc
    try:
        state = json.loads((target / "done.json").read_text())
        count, bad = int(state["images"]), read_bad(state)
        decoded = [record for index, record in enumerate(records) if index not in bad]
        if len(decoded) != count:
            raise ValueError("done.json contradicts itself")
    except (OSError, ValueError, LookupError, TypeError) as exc:
        raise DataError(f"{target} is damaged ({exc}); delete it and train again.") from exc
    images = ImageFile(target / "images.bin", count, size)
    metadata = RowFile(target / "metadata.bin", count, (), METADATA)
    named = {str(records[index].path): reason for index, reason in bad.items()}
    return ImageCache(images, decoded, metadata, named, _content(decoded, metadata), folder)


def without_single_images(cache: ImageCache) -> tuple[ImageCache, int]:
    """Return images whose class has a second one, and how many classes were left out for having one.

    As of ``trainer.data.records``, but of images that decode and are not copies.
    """
    counts = Counter(record.label for record in cache.records)
    single = sum(count == 1 for count in counts.values())
    if not single:
        return cache, 0
    return cache.subset(np.array([counts[r.label] > 1 for r in cache.records], bool)), single


def at_most(cache: ImageCache, limit: int, seed: int) -> ImageCache:
    """Return ``limit`` images or a few less, of classes drawn at random; all where there are no more.

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
        indices = classes[number]
        if len(indices) > share:
            indices = rng.choice(indices, share, replace=False)
        if count + len(indices) <= limit:
            chosen[indices] = True
            count += len(indices)
    return cache.subset(chosen)


def fingerprint(records: Sequence[Record]) -> str:
    """Return a SHA-256 over paths, sizes and times of change: cheap, and new whenever a file is.

    The time is that of the inode, which a change of permissions moves as well: a file that could
    not be read is then tried again.
    """
    digest = hashlib.sha256(f"{_LAYOUT}\n".encode())
    for record in records:
        try:
            status = record.path.stat()
            change = f"{status.st_size}|{status.st_mtime_ns}|{status.st_ctime_ns}"
        except OSError:
            change = "missing"
        digest.update(f"{record.path}|{change}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()[:32]


def _content(records: Sequence[Record], metadata: RowFile) -> str:
    content = hashlib.sha256()
    for record, sha256 in zip(records, metadata[:]["sha256"], strict=True):
        content.update(f"{record.label}|{sha256.tobytes().hex()}\n".encode())
    return content.hexdigest()
