"""Augmentation: shapes, ranges, and that each knob at rest changes nothing."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.augment import augment
from trainer.config import TrainConfig

STILL = TrainConfig(
    input_size=32, crop_area=1.0, brightness=0, contrast=0, saturation=0, hue=0, grey=0
)


def images(count: int = 8, size: int = 40) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (count, 5, 5, 3)).astype(np.float32)
    return tf.cast(tf.image.resize(coarse, (size, size)), tf.uint8).numpy()


def test_it_gives_pixels_at_input_size() -> None:
    out = augment(images(), TrainConfig(input_size=32)).numpy()
    assert (out.shape, out.dtype) == ((8, 32, 32, 3), np.uint8)
    assert out.std() > 10


def test_at_rest_it_only_resizes() -> None:
    batch = images(size=32)
    # A crop of the whole has the picture's own shape only when its ratio is 1, hence the tolerance.
    out = augment(batch, STILL).numpy().astype(int)
    assert np.abs(out - batch).mean() < 12


@pytest.mark.parametrize(
    "change",
    [{"brightness": 0.5}, {"contrast": 0.5}, {"saturation": 0.9}, {"hue": 0.5}, {"flip": True}],
)
def test_each_knob_changes_something_and_differs_between_images(change: dict) -> None:
    one = np.repeat(images(1, 32), 16, axis=0)
    tf.random.set_seed(3)
    out = augment(one, STILL.model_copy(update=change)).numpy().astype(int)
    assert len({image.tobytes() for image in out}) > 1


def test_grey_images_have_equal_channels() -> None:
    out = augment(images(), STILL.model_copy(update={"grey": 1.0})).numpy().astype(int)
    assert np.ptp(out, axis=-1).max() <= 1


def test_turning_the_hue_keeps_the_mean_of_the_channels() -> None:
    batch = (images(size=32) // 2 + 60).astype(np.uint8)
    tf.random.set_seed(1)
    turned = augment(batch, STILL.model_copy(update={"hue": 0.2})).numpy().astype(float)
    tf.random.set_seed(1)
    still = augment(batch, STILL).numpy().astype(float)
    assert np.abs(turned.mean(axis=(1, 2, 3)) - still.mean(axis=(1, 2, 3))).max() < 6
