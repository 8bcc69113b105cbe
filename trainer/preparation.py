"""The images that a run is made with: divided, decoded into caches, with what was left out said."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.config import TrainConfig
from trainer.data.cache import ImageCache, at_most, without_single_images
from trainer.data.records import Split, divide, read_data
from trainer.data.scan import Scan, scan
from trainer.errors import DataError
from trainer.progress import say, track

# Files that are named on the screen; the report has them all.
_NAMED = 20


@dataclass(frozen=True, slots=True)
class Prepared:
    """What takes part of each split, of all that was found in ``source``."""

    source: Path
    found: Scan
    splits: dict[Split, ImageCache]

    def facts(self) -> dict[str, Any]:
        """What a manifest says of it; the folder by its own name alone, which is all that means anything elsewhere."""
        return {
            "source": self.source.resolve().name,
            "content_sha256": self.splits["train"].content,
            "images": {split: len(cache.records) for split, cache in self.splits.items()},
            "classes": {
                split: len({record.label for record in cache.records})
                for split, cache in self.splits.items()
            },
            **{str(kind): count for kind, count in self.found.counts.items()},
        }


def prepare(data: Path, config: TrainConfig, cache: Path) -> Prepared:
    """``data`` (class folders or a CSV) as ``config`` divides it, decoded below ``cache``.

    Raises ``DataError``, also where nothing is left to tell apart.
    """
    found = _scanned(data, config, cache)
    splits = {split: _usable(c, split, config) for split, c in found.caches.items()}
    _refuse_too_few(splits["train"])
    return Prepared(data, found, splits)


def _scanned(data: Path, config: TrainConfig, cache: Path) -> Scan:
    records = divide(
        read_data(data), config.data.validation_fraction, config.data.test_fraction, config.seed
    )
    sizes: dict[Split, int] = {
        "train": config.network.cache_size,
        "validation": config.network.input_size,
        "test": config.published_network.input_size,
    }
    with track("reading images", len(records)) as advance:
        found = scan(records, sizes, cache, advance)
    for item in found.left_out[:_NAMED]:
        say(f"left out {item.path}: {item.reason}")
    if len(found.left_out) > _NAMED:
        say(f"… and {len(found.left_out) - _NAMED} more; the report names them all.")
    for sentence in found.summary():
        say(sentence)
    return found


def _usable(cache: ImageCache, split: Split, config: TrainConfig) -> ImageCache:
    if split == "train" and config.batch.single_images:
        return cache
    kept, single = without_single_images(cache)
    if single:
        say(f"{single} {split} classes have one image only and are left out: they form no pair.")
    if split == "train" or len(kept.records) <= config.data.held_out_images:
        return kept
    drawn = at_most(kept, config.data.held_out_images, config.seed)
    say(
        f"{len(drawn.records):,} of {len(kept.records):,} {split} images are used, drawn at random "
        "(data.held_out_images)."
    )
    return drawn


def _refuse_too_few(train: ImageCache) -> None:
    counts = Counter(record.label for record in train.records)
    if sum(count > 1 for count in counts.values()) < 2:
        raise DataError(
            "Fewer than two classes are left to train on that have two images or more, so there is "
            "nothing to tell apart."
        )
