"""The images of a run: divided into splits, and decoded into caches, once."""

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gemello.progress import say, track
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache, at_most, resized, without_single_images
from trainer.data.records import Split, divide, read_data
from trainer.data.scan import Scan, scan
from trainer.errors import DataError

# Files that are named on the screen; the report has them all.
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """The images of each split that take part, and the ``scan`` of everything in ``source``.

    Training images have the size that they are cropped from, held-out ones the published size: they
    are measured with the very pixels that serving would make of their files.
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

    def at_published_size(self, config: TrainConfig) -> "Prepared":
        """Return the same with held-out images at the published size of ``config``."""
        size = config.published_network.input_size
        held_out: tuple[Split, ...] = ("validation", "test")
        with track("reading images", sum(len(self.splits[s].records) for s in held_out)) as advance:
            splits = {s: resized(self.splits[s], size, advance) for s in held_out}
        return replace(self, splits={**self.splits, **splits})


def prepare(data: Path, config: TrainConfig, cache: Path) -> Prepared:
    """Divide ``data`` (class folders or a CSV) as ``config`` says, and decode it below ``cache``.

    Every file is read and decoded once, at the one size that its split needs. Raises ``DataError``,
    also where fewer than two classes are left to train on.
    """
    scanned = _scan(data, config, cache)
    splits = {split: _usable(c, split, config) for split, c in scanned.caches.items()}
    _refuse_too_few(splits["train"])
    return Prepared(data, scanned, splits)


def _scan(data: Path, config: TrainConfig, cache: Path) -> Scan:
    shares = config.data
    records = divide(read_data(data), shares.validation_fraction, shares.test_fraction, config.seed)
    served = config.published_network.input_size
    sizes: dict[Split, int] = {
        "train": config.network.cache_size,
        "validation": served,
        "test": served,
    }
    with track("reading images", len(records)) as advance:
        scanned = scan(records, sizes, cache, advance)
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
