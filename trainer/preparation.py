"""The images of a run: divided into splits, and decoded into caches, once."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.images.square import Resize
from gemello.progress import say, track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache, at_most, without_single_images
from trainer.data.records import Split, divide, read_data
from trainer.data.scan import Scan, scan
from trainer.errors import DataError

# Files that are named on the screen; the report has them all.
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """The images of each split that take part, and the ``scan`` of everything in ``source``.

    All have the published size: held-out images are measured with the very pixels that serving would
    make of their files, and training images are cropped from those.
    """

    source: Path
    scan: Scan
    splits: dict[Split, ImageCache]

    def as_manifest(self) -> dict[str, Any]:
        """Return the manifest's part on the data, with the folder's name but not its path."""
        return {
            "source": self.source.resolve().name,
            "content_sha256": self.splits["train"].content,
            "images": {split: len(cache.records) for split, cache in self.splits.items()},
            "classes": {
                split: len({record.label for record in cache.records})
                for split, cache in self.splits.items()
            },
            **{str(kind): count for kind, count in self.scan.counts.items()},
        }


def prepare(data: Path, config: TrainConfig, cache: Path, size: int, resize: Resize) -> Prepared:
    """Divide ``data`` (class folders or a CSV) as ``config`` says, and decode it below ``cache``.

    Every file is read once, and made ``size`` × ``size`` by ``resize``. Raises ``DataError``,
    also where fewer than two classes are left to train on.
    """
    scanned = _scan(data, config, cache, size, resize)
    splits = {split: _usable(c, split, config) for split, c in scanned.caches.items()}
    _refuse_too_few(splits["train"])
    for split, images in splits.items():
        classes = len({record.label for record in images.records})
        noun = "class" if classes == 1 else "classes"
        say(f"{split}: {len(images.records):,} images of {classes:,} {noun}")
    return Prepared(data, scanned, splits)


def _scan(data: Path, config: TrainConfig, cache: Path, size: int, resize: Resize) -> Scan:
    shares = config.data
    records = divide(read_data(data), shares.validation_fraction, shares.test_fraction, config.seed)
    with track("reading images", len(records)) as advance:
        scanned = scan(records, size, cache, advance, resize)
    for item in scanned.left_out[:_NAMED]:
        say(f"left out {item.path}: {item.reason}")
    if len(scanned.left_out) > _NAMED:
        say(f"… and {len(scanned.left_out) - _NAMED} more; the report names them all.")
    for sentence in scanned.summary():
        say(sentence)
    return scanned


def _usable(cache: ImageCache, split: Split, config: TrainConfig) -> ImageCache:
    if split == "train" and config.batch.single_images:
        return cache
    paired, single = without_single_images(cache)
    if single:
        say(f"{single} {split} classes have one image only and are left out: they form no pair.")
    if split == "train" or len(paired.records) <= config.data.held_out_images:
        return paired
    sample = at_most(paired, config.data.held_out_images, config.seed)
    say(
        f"{len(sample.records):,} of {len(paired.records):,} {split} images are used, drawn at "
        "random (data.held_out_images)."
    )
    return sample


def _refuse_too_few(train: ImageCache) -> None:
    counts = Counter(record.label for record in train.records)
    if sum(count > 1 for count in counts.values()) < 2:
        raise DataError(
            "Fewer than two classes are left to train on that have two images or more, so there is "
            "nothing to tell apart."
        )
