"""Random changes of a batch, drawn anew for every image: crop, flip and colour."""

import math
from typing import Any

import tensorflow as tf

from trainer.config import TrainConfig

Tensor = Any

# How far a crop may depart from the picture's own shape: what Inception-style crops use is wider.
_ASPECT = 1.25
_GREY_WEIGHTS = (0.299, 0.587, 0.114)


def augment(images: Tensor, config: TrainConfig) -> Tensor:
    """uint8 [N, C, C, 3] → uint8 [N, S, S, 3], S being ``config.input_size``."""
    pixels = _crop(tf.cast(images, tf.float32), config.crop_area, config.input_size)
    if config.flip:
        mirrored = tf.random.uniform([_count(pixels), 1, 1, 1]) < 0.5
        pixels = tf.where(mirrored, tf.reverse(pixels, [2]), pixels)
    pixels = _colour(pixels, config)
    return tf.cast(tf.clip_by_value(tf.round(pixels), 0, 255), tf.uint8)


def _crop(pixels: Tensor, least_area: float, size: int) -> Tensor:
    n = _count(pixels)
    area = tf.random.uniform([n], least_area, 1.0)
    ratio = tf.exp(tf.random.uniform([n], -math.log(_ASPECT), math.log(_ASPECT)))
    height = tf.minimum(tf.sqrt(area * ratio), 1.0)
    width = tf.minimum(tf.sqrt(area / ratio), 1.0)
    top = tf.random.uniform([n]) * (1 - height)
    left = tf.random.uniform([n]) * (1 - width)
    boxes = tf.stack([top, left, top + height, left + width], axis=1)
    return tf.image.crop_and_resize(pixels, boxes, tf.range(n), [size, size])


def _colour(pixels: Tensor, config: TrainConfig) -> Tensor:
    n = _count(pixels)
    pixels *= _factor(n, config.brightness)
    mean = tf.reduce_mean(pixels, axis=[1, 2, 3], keepdims=True)
    pixels = mean + (pixels - mean) * _factor(n, config.contrast)
    grey = tf.reduce_sum(pixels * tf.constant(_GREY_WEIGHTS), axis=-1, keepdims=True)
    strength = tf.where(
        tf.random.uniform([n, 1, 1, 1]) < config.grey, 0.0, _factor(n, config.saturation)
    )
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


def _factor(n: Tensor, most: float) -> Tensor:
    return tf.random.uniform([n, 1, 1, 1], 1 - most, 1 + most)


def _count(pixels: Tensor) -> Tensor:
    return tf.shape(pixels)[0]
