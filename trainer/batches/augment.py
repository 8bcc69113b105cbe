"""Random augmentation of a batch: geometry, colour, and the wear of copies."""

import math
from typing import Any

import tensorflow as tf

from trainer.config import AugmentConfig

Tensor = Any

# How far a crop may depart from the picture's own shape: what Inception-style crops use is wider.
_ASPECT = 1.25
_GREY_WEIGHTS = (0.299, 0.587, 0.114)
# Smallest part of the canvas, in length, that a picture shrunk onto a plain ground takes.
_LEAST_SHRINK = 0.55
# A border whose colours depart less than this from their mean is a plain background.
_PLAIN = 12.0
# Difference from the background, in grey levels, at which a pixel is wholly foreground.
_FOREGROUND = 40.0
_JPEG_QUALITY = (10, 80)
# Least side of a picture that is compressed smaller than it is shown, as part of its own.
_LEAST_JPEG_SIDE = 0.4


def augment(images: Tensor, size: int, config: AugmentConfig) -> Tensor:
    """Return uint8 [N, S, S, 3], S being ``size``, of ``images`` uint8 [N, C, C, 3]."""
    pixels = tf.cast(images, tf.float32)
    if config.background:
        pixels = _change_background(pixels, config.background)
    pixels = _place(pixels, size, config)
    if config.flip:
        mirrored = _chosen(pixels, 0.5)
        pixels = tf.where(mirrored, tf.reverse(pixels, [2]), pixels)
    pixels = _colour(pixels, config)
    if config.overlay:
        pixels = _cover(pixels, config.overlay)
    if config.blur:
        pixels = tf.where(_chosen(pixels, config.blur), _blurred(pixels), pixels)
    changed = _bytes(pixels)
    return _compress(changed, config.jpeg) if config.jpeg else changed


def _change_background(pixels: Tensor, share: float) -> Tensor:
    """Give a plain border colour, wherever it occurs, another random colour."""
    border = tf.concat([pixels[:, 0], pixels[:, -1], pixels[:, :, 0], pixels[:, :, -1]], axis=1)
    ground = tf.reduce_mean(border, axis=1)[:, None, None]
    spread = tf.reduce_max(tf.math.reduce_std(border, axis=1), axis=-1)[:, None, None, None]
    far = tf.reduce_max(tf.abs(pixels - ground), axis=-1, keepdims=True)
    solid = tf.clip_by_value(far / _FOREGROUND, 0, 1)
    changed = pixels * solid + _colours(pixels) * (1 - solid)
    return tf.where(_chosen(pixels, share) & (spread < _PLAIN), changed, pixels)


def _place(pixels: Tensor, size: int, config: AugmentConfig) -> Tensor:
    """Crop, turn, and now and then shrink onto a plain ground: one bilinear resampling for all.

    Without a turn and a shrink, the crop lies inside the picture, as in Szegedy et al.,
    "Going Deeper with Convolutions", arXiv:1409.4842.
    """
    n = _count(pixels)
    side = tf.cast(tf.shape(pixels)[1], tf.float32)
    area = tf.random.uniform([n], config.crop_area, 1.0)
    ratio = tf.exp(tf.random.uniform([n], -math.log(_ASPECT), math.log(_ASPECT)))
    height = tf.minimum(tf.sqrt(area * ratio), 1.0)
    width = tf.minimum(tf.sqrt(area / ratio), 1.0)
    if config.padding:
        shrunk = _chosen(pixels, config.padding)[:, 0, 0, 0]
        height = tf.where(shrunk, 1 / tf.random.uniform([n], _LEAST_SHRINK, 1.0), height)
        width = tf.where(shrunk, 1 / tf.random.uniform([n], _LEAST_SHRINK, 1.0), width)
    # The middle of the crop, as parts of the picture; beyond it lies the ground.
    middle_y = 0.5 + (tf.random.uniform([n]) - 0.5) * tf.abs(1 - height)
    middle_x = 0.5 + (tf.random.uniform([n]) - 0.5) * tf.abs(1 - width)
    angle = tf.random.uniform([n], -config.rotate, config.rotate) * math.pi / 180
    cosine, sine = tf.cos(angle), tf.sin(angle)
    across, down = width * side / size, height * side / size
    half = (size - 1) / 2
    # Output (x, y) reads input (a x + b y + c, d x + e y + f).
    a, b, d, e = cosine * across, -sine * down, sine * across, cosine * down
    c = middle_x * side - 0.5 - (a + b) * half
    f = middle_y * side - 0.5 - (d + e) * half
    zero = tf.zeros_like(a)
    transforms = tf.stack([a, b, c, d, e, f, zero, zero], axis=1)
    if not config.rotate and not config.padding:
        return _resample(pixels, transforms, size, "NEAREST")
    inside = _resample(tf.ones_like(pixels[..., :1]), transforms, size, "CONSTANT")
    moved = _resample(pixels, transforms, size, "NEAREST")
    ground = tf.where(_chosen(pixels, 0.5), _colours(pixels), 255.0)
    return moved * inside + ground * (1 - inside)


def _resample(pixels: Tensor, transforms: Tensor, size: int, beyond: str) -> Tensor:
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=pixels,
        transforms=transforms,
        output_shape=[size, size],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode=beyond,
    )


def _colour(pixels: Tensor, config: AugmentConfig) -> Tensor:
    n = _count(pixels)
    pixels *= _factor(n, config.brightness)
    mean = tf.reduce_mean(pixels, axis=[1, 2, 3], keepdims=True)
    pixels = mean + (pixels - mean) * _factor(n, config.contrast)
    grey = tf.reduce_sum(pixels * tf.constant(_GREY_WEIGHTS), axis=-1, keepdims=True)
    strength = tf.where(_chosen(pixels, config.grey), 0.0, _factor(n, config.saturation))
    pixels = grey + (pixels - grey) * strength
    return _turn_hue(pixels, config.hue) if config.hue else pixels


def _turn_hue(pixels: Tensor, most: float) -> Tensor:
    """Rotate about the grey axis of RGB: Rodrigues' formula, one angle for each image."""
    angle = tf.random.uniform([_count(pixels), 1, 1, 1], -most, most) * 2 * math.pi
    cosine, sine = tf.cos(angle), tf.sin(angle)
    mean = tf.reduce_mean(pixels, axis=-1, keepdims=True)
    red, green, blue = tf.split(pixels, 3, axis=-1)
    cross = tf.concat([blue - green, red - blue, green - red], axis=-1) / math.sqrt(3)
    return pixels * cosine + cross * sine + mean * (1 - cosine)


def _cover(pixels: Tensor, share: float) -> Tensor:
    """A stripe across, a patch, or a frame, of one colour: captions, stickers, borders."""
    n = _count(pixels)
    kind = tf.random.uniform([n], 0, 3, tf.int32)
    framed = kind == 2
    thick = 1 - 2 * tf.random.uniform([n], 0.03, 0.1)
    # Of a frame these are height and width of the hole.
    height = tf.where(framed, thick, tf.random.uniform([n], 0.1, 0.3))
    width = tf.where(framed, thick, tf.random.uniform([n], 0.15, 0.4))
    width = tf.where(kind == 0, 1.0, width)
    top = tf.where(framed, 0.5, tf.random.uniform([n])) * (1 - height)
    left = tf.where(framed, 0.5, tf.random.uniform([n])) * (1 - width)
    size = tf.shape(pixels)[1]
    places = (tf.cast(tf.range(size), tf.float32) + 0.5) / tf.cast(size, tf.float32)
    rows = (places >= top[:, None]) & (places < (top + height)[:, None])
    columns = (places >= left[:, None]) & (places < (left + width)[:, None])
    inside = rows[:, :, None] & columns[:, None, :]
    covered = (inside != framed[:, None, None])[..., None]
    return tf.where(_chosen(pixels, share) & covered, _colours(pixels), pixels)


def _blurred(pixels: Tensor) -> Tensor:
    """Binomial weights 1 4 6 4 1 both ways: about a Gaussian of one pixel."""
    line = tf.constant([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
    kernel = tf.tile((line[:, None] * line[None, :])[..., None, None], [1, 1, 3, 1])
    padded = tf.pad(pixels, [[0, 0], [2, 2], [2, 2], [0, 0]], "REFLECT")
    return tf.nn.depthwise_conv2d(padded, kernel, [1, 1, 1, 1], "VALID")


def _compress(images: Tensor, share: float) -> Tensor:
    """Saved small and as JPEG, then shown at the old size: what a picture sent on has been through."""
    side = tf.cast(tf.shape(images)[1], tf.float32)

    def worn(image: Tensor) -> Tensor:
        small = tf.cast(side * tf.random.uniform([], _LEAST_JPEG_SIDE, 1.0), tf.int32)
        shrunk = _bytes(tf.image.resize(image, [small, small], "area"))
        quality = tf.random.uniform([], *_JPEG_QUALITY, tf.int32)
        packed = tf.image.adjust_jpeg_quality(shrunk, quality)
        return _bytes(tf.image.resize(packed, tf.shape(image)[:2], "bilinear"))

    def one(image: Tensor) -> Tensor:
        return tf.cond(tf.random.uniform([]) < share, lambda: worn(image), lambda: image)

    return tf.map_fn(one, images)


def _bytes(pixels: Tensor) -> Tensor:
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)


def _chosen(pixels: Tensor, share: float) -> Tensor:
    """bool [N, 1, 1, 1], true for that share."""
    return tf.random.uniform([_count(pixels), 1, 1, 1]) < share


def _colours(pixels: Tensor) -> Tensor:
    return tf.random.uniform([_count(pixels), 1, 1, 3], 0, 255)


def _factor(n: Tensor, most: float) -> Tensor:
    return tf.random.uniform([n, 1, 1, 1], 1 - most, 1 + most)


def _count(pixels: Tensor) -> Tensor:
    return tf.shape(pixels)[0]
