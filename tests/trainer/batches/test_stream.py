"""Batches as the network gets them: the drawn images with their labels."""

from pathlib import Path

import numpy as np
import pytest

from trainer.batches.stream import Examples, stream
from trainer.config import AugmentConfig
from trainer.data.rows import ImageFile

STILL = AugmentConfig(crop_area=1.0, brightness=0, contrast=0, saturation=0, hue=0, grey=0)
LABELS = np.array([5, 6, 7, 8], np.int32)


@pytest.fixture
def examples(tmp_path: Path) -> Examples:
    """Four images, each of one grey level: 10, 20, 30 and 40."""
    side = 40
    pixels = np.repeat(np.arange(10, 50, 10, dtype=np.uint8), side * side * 3)
    (tmp_path / "images.bin").write_bytes(pixels.tobytes())
    return Examples(ImageFile(tmp_path / "images.bin", 4, side), LABELS)


def test_batches_come_in_order_with_all_that_belongs_to_them(examples: Examples) -> None:
    batches = [np.array([3, 0, 3]), np.array([1, 2, 0])]
    out = list(stream(examples, batches, 32, STILL))
    assert len(out) == 2
    for batch, (images, labels) in zip(batches, out, strict=True):
        assert (images.shape, images.dtype) == ((3, 32, 32, 3), np.uint8)
        assert np.array_equal(np.asarray(images)[:, 16, 16, 0], 10 * (batch + 1))
        assert np.array_equal(labels, LABELS[batch])


def test_no_tuner_runs_that_the_end_of_an_epoch_would_have_to_wait_for(examples: Examples) -> None:
    """It may sleep on for half a minute; see ``stream``."""
    assert stream(examples, [np.array([1, 2])], 32, STILL).options().autotune.enabled is False
