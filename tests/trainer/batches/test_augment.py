"""Augmentation: shapes, ranges, and that each option at rest changes nothing."""

import numpy as np
import pytest
import tensorflow as tf

from trainer.batches.augment import augment
from trainer.config import AugmentConfig

STILL = AugmentConfig(crop_area=1.0, brightness=0, contrast=0, saturation=0, hue=0, grey=0)


def images(count: int = 8, size: int = 40) -> np.ndarray:
    coarse = np.random.default_rng(0).integers(0, 256, (count, 5, 5, 3)).astype(np.float32)
    return tf.cast(tf.image.resize(coarse, (size, size)), tf.uint8).numpy()


def test_it_gives_pixels_at_input_size() -> None:
    out = augment(images(), 32, AugmentConfig()).numpy()
    assert (out.shape, out.dtype) == ((8, 32, 32, 3), np.uint8)
    assert out.std() > 10


def test_at_rest_it_only_resizes() -> None:
    batch = images(size=32)
    # A crop of the whole has the picture's own shape only when its ratio is 1, hence the tolerance.
    out = augment(batch, 32, STILL).numpy().astype(int)
    assert np.abs(out - batch).mean() < 12


@pytest.mark.parametrize(
    "change",
    [{"brightness": 0.5}, {"contrast": 0.5}, {"saturation": 0.9}, {"hue": 0.5}, {"flip": True}],
)
def test_each_option_changes_something_and_differs_between_images(change: dict) -> None:
    one = np.repeat(images(1, 32), 16, axis=0)
    tf.random.set_seed(3)
    out = augment(one, 32, STILL.model_copy(update=change)).numpy().astype(int)
    assert len({image.tobytes() for image in out}) > 1


def test_grey_images_have_equal_channels() -> None:
    out = augment(images(), 32, STILL.model_copy(update={"grey": 1.0})).numpy().astype(int)
    assert np.ptp(out, axis=-1).max() <= 1


def test_turning_the_hue_keeps_the_mean_of_the_channels() -> None:
    batch = (images(size=32) // 2 + 60).astype(np.uint8)
    tf.random.set_seed(1)
    turned = augment(batch, 32, STILL.model_copy(update={"hue": 0.2})).numpy().astype(float)
    tf.random.set_seed(1)
    still = augment(batch, 32, STILL).numpy().astype(float)
    assert np.abs(turned.mean(axis=(1, 2, 3)) - still.mean(axis=(1, 2, 3))).max() < 6


OPTIONS = ("rotate", "blur", "jpeg", "background", "padding", "overlay")


def plain_border(count: int = 12, size: int = 40) -> np.ndarray:
    """A red square on light grey."""
    batch = np.full((count, size, size, 3), 220, np.uint8)
    batch[:, 12:28, 12:28] = (200, 30, 30)
    return batch


def changed(batch: np.ndarray, **values: float) -> np.ndarray:
    """What ``values`` do beside the same crops as without them."""
    tf.random.set_seed(5)
    return augment(batch, 32, STILL.model_copy(update=values)).numpy()


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_changes_images_and_keeps_their_form(option: str) -> None:
    batch = plain_border()
    out = changed(batch, **{option: 30.0 if option == "rotate" else 1.0})
    assert (out.shape, out.dtype) == ((12, 32, 32, 3), np.uint8)
    differences = np.abs(out.astype(int) - changed(batch)).mean(axis=(1, 2, 3))
    assert (differences > 0.05).all()


@pytest.mark.parametrize("option", [option for option in OPTIONS if option != "rotate"])
def test_a_share_is_a_share_of_the_images(option: str) -> None:
    # All pictures alike, so that those left alone are known by their crop.
    batch = plain_border(400)
    few = STILL.model_copy(update={option: 0.25})
    tf.random.set_seed(1)
    out = augment(batch, 32, few).numpy().astype(int)
    flat = np.abs(out[:, 16, 16] - (200, 30, 30)).max(axis=1)
    border = np.abs(out[:, 2, 16] - (220, 220, 220)).max(axis=1)
    if option in ("background", "padding"):
        # Half of those shrunk stand on white, and few are shrunk by nothing.
        assert 0.1 < (border > 3).mean() < 0.4
    elif option == "overlay":
        assert 0.02 < (flat > 3).mean() < 0.4
    else:
        edges = np.abs(np.diff(out[:, 16, :, 1], axis=1)).max(axis=1)
        assert 0.05 < (edges < np.median(edges) - 3).mean() + (flat > 3).mean() < 0.6


@pytest.mark.parametrize("option", OPTIONS)
def test_each_option_at_nothing_changes_nothing(option: str) -> None:
    batch = images(size=40)
    assert np.array_equal(changed(batch, **{option: 0.0}), changed(batch))


def test_what_was_saved_small_keeps_its_colours_and_loses_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (12, 40, 40, 3), np.uint8)
    before, after = changed(noise).astype(int), changed(noise, jpeg=1.0).astype(int)
    assert np.abs(after.mean(axis=(1, 2)) - before.mean(axis=(1, 2))).max() < 12

    def detail(batch: np.ndarray) -> np.ndarray:
        return np.abs(np.diff(batch, axis=2)).mean(axis=(1, 2, 3))

    lost = detail(after) / detail(before)
    assert lost.max() < 0.9
    assert lost.min() < 0.4
    assert lost.max() > 2 * lost.min(), "some more than others"


def test_a_turn_is_that_of_pillow(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    batch = np.full((1, 64, 64, 3), 255, np.uint8)
    batch[:, 20:44, 24:52] = images(1, 28)[:, :24, :]
    uniform = tf.random.uniform

    def middle(shape: object, low: float = 0.0, high: float = 1.0, *rest: object) -> tf.Tensor:
        # The whole picture, in its own shape, turned by all of the 25 degrees.
        if (low, high) == (-25, 25):
            return tf.fill(shape, 25.0)
        if low == 1.0 == high or low == -high:
            return tf.fill(shape, (low + high) / 2)
        return uniform(shape, low, high, *rest)

    monkeypatch.setattr(tf.random, "uniform", middle)
    still = STILL.model_copy(update={"rotate": 25.0})
    out = augment(batch, 64, still).numpy()[0].astype(int)
    expected = {
        angle: np.asarray(
            Image.fromarray(batch[0]).rotate(
                angle, Image.Resampling.BILINEAR, fillcolor=(255, 255, 255)
            )
        ).astype(int)
        for angle in (25, -25)
    }
    # Away from the corners, whose colour is drawn.
    inner = slice(14, 50)
    errors = {a: np.abs(out - e)[inner, inner].mean() for a, e in expected.items()}
    assert min(errors.values()) < 1
    assert max(errors.values()) > 5


def test_a_turn_goes_both_ways_up_to_its_limit() -> None:
    """A bar along the middle: how far its ends have moved tells the angle."""
    bar = np.zeros((200, 64, 64, 3), np.uint8)
    bar[:, 30:34] = 255
    still = STILL.model_copy(update={"rotate": 20.0})
    tf.random.set_seed(0)
    out = augment(bar, 64, still).numpy().astype(float)
    middle = slice(22, 42)
    weights = out[:, middle, :, 0]
    rows = np.arange(22, 42)[None, :, None]
    centres = (weights * rows).sum(axis=1) / weights.sum(axis=1).clip(1)
    slopes = (centres[:, 42] - centres[:, 22]) / 20
    angles = np.degrees(np.arctan(slopes))
    assert angles.min() < -12
    assert angles.max() > 12
    assert np.abs(angles).max() < 24


def test_only_a_plain_border_changes_its_colour_and_what_stands_on_it_stays() -> None:
    out = changed(plain_border(), background=1.0).astype(int)
    assert np.abs(out[:, 16, 16] - (200, 30, 30)).max() <= 1
    corners = out[:, 1, 1]
    assert (np.abs(corners - 220).max(axis=1) > 10).mean() > 0.8
    assert len({tuple(c) for c in corners.tolist()}) > 6
    # What has no plain border looks the same but for the crops, which even out.
    busy = np.repeat(images(1, 40), 300, axis=0)
    means = [changed(busy, background=share).mean(axis=0) for share in (1.0, 0.0)]
    assert np.abs(means[0] - means[1]).mean() < 2


def test_a_shrunk_picture_is_still_there_in_full() -> None:
    marked = plain_border(60, 64)
    # A dot of another colour in each corner.
    for y in (slice(2, 8), slice(56, 62)):
        for x in (slice(2, 8), slice(56, 62)):
            marked[:, y, x] = (0, 0, 255)
    still = STILL.model_copy(update={"padding": 1.0})
    out = augment(marked, 64, still).numpy().astype(int)
    blue = (out[..., 2] > 150) & (out[..., 0] < 90) & (out[..., 1] < 90)
    whole = 4 * 36 * 0.55**2
    # A ground of the same blue would count for more.
    assert np.median(blue.sum(axis=(1, 2))) > whole * 0.7
    corners = blue[:, :32, :32], blue[:, :32, 32:], blue[:, 32:, :32], blue[:, 32:, 32:]
    assert np.mean([corner.any(axis=(1, 2)) for corner in corners]) > 0.95


def test_a_blur_keeps_the_mean_and_takes_the_detail() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (4, 32, 32, 3)).astype(np.uint8)
    blurred, sharp = (changed(noise, blur=b).astype(float) for b in (1.0, 0.0))
    assert np.abs(blurred.mean(axis=(1, 2)) - sharp.mean(axis=(1, 2))).max() < 4
    assert blurred.std() < 0.7 * sharp.std()


def test_a_cover_is_a_stripe_a_patch_or_a_frame_of_one_colour() -> None:
    grey = np.full((300, 40, 40, 3), 128, np.uint8)
    out = changed(grey, overlay=1.0).astype(int)
    covered = np.abs(out - 128).max(axis=-1) > 2
    for image, mask in zip(out, covered, strict=True):
        assert len({tuple(p) for p in image[mask].tolist()}) <= 1
    whole_rows = covered.all(axis=2).any(axis=1)
    framed = covered[:, 0].all(axis=1) & covered[:, :, 0].all(axis=1) & ~covered[:, 16, 16]
    patched = covered.any(axis=(1, 2)) & ~whole_rows
    for kind in (framed, whole_rows & ~framed, patched):
        assert 0.2 < kind.mean() < 0.45
    assert covered.mean() < 0.4, "most of the picture stays"
