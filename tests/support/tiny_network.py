"""A backbone of two small layers in place of the real one: a training run takes seconds.

``tests.tiny_gemello`` is the command line with it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
from _pytest.monkeypatch import MonkeyPatch

from tests.support.drawings import draw_classes
from trainer.config import TrainConfig
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import read_data
from trainer.network import backbones
from trainer.network.embedder import Network
from trainer.network.embedder import build as build_network

SIZE = 32


def backbone(shape: tuple[int, int, int], weights: str | None = None) -> keras.Model:
    """Normalised pixels → [N, S/4, S/4, 24]; the same random weights each time."""
    x = images = keras.Input(shape, name="pixels")
    for number, filters in enumerate((12, 24)):
        x = keras.layers.Conv2D(
            filters,
            3,
            2,
            padding="same",
            use_bias=False,
            kernel_initializer=keras.initializers.HeNormal(seed=number),
            name=f"conv{number}",
        )(x)
        x = keras.layers.BatchNormalization(name=f"norm{number}")(x)
        x = keras.layers.ReLU(max_value=6.0)(x)
    return keras.Model(images, x, name="tiny")


@contextmanager
def in_place_of_the_real_one() -> Iterator[None]:
    with MonkeyPatch.context() as patch:
        recipe = backbones._Recipe(backbone, backbones._standardised)
        patch.setitem(backbones._BACKBONES, "efficientnet_lite0", recipe)
        yield


def config(**values: object) -> TrainConfig:
    """A few seconds of training, unless ``values`` say otherwise."""
    few = {
        "input_size": SIZE,
        "dimension": 16,
        "classes_per_batch": 4,
        "images_per_class": 2,
        "head_epochs": 1,
        "epochs": 2,
        "steps_per_epoch": 2,
    }
    return TrainConfig.model_validate({**few, **values})


def build(config: TrainConfig) -> Network:
    with in_place_of_the_real_one():
        keras.utils.set_random_seed(config.seed)
        return build_network(config)


def caches(folder: Path, config: TrainConfig) -> tuple[ImageCache, ImageCache]:
    """Eight classes of four drawn images to train on, four others to validate."""
    train = draw_classes(folder / "train", 8, 4)
    validation = draw_classes(folder / "validation", 4, 4, first=20)
    return (
        open_cache(read_data(train), config.cache_size, folder / "cache", lambda _: None),
        open_cache(read_data(validation), config.input_size, folder / "cache", lambda _: None),
    )
