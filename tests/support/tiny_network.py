"""A backbone of two small layers in place of the real one: a training run takes seconds.

``tests.support.tiny_gemello`` is the command line with it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import keras
from _pytest.monkeypatch import MonkeyPatch

from tests.support.drawings import draw_classes
from trainer.config import TrainConfig, nested, option_names, read_config
from trainer.data.cache import ImageCache, open_cache
from trainer.data.records import read_data
from trainer.network import backbones
from trainer.network.embedder import Network
from trainer.network.embedder import build as build_network

SIZE = 32


def backbone(shape: tuple[int | None, int | None, int], weights: str | None = None) -> keras.Model:
    """Normalised pixels → [N, S/4, S/4, 24], by way of [N, S/2, S/2, 12]; the same random weights each time."""
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
        x = keras.layers.ReLU(max_value=6.0, name=f"relu{number}")(x)
    return keras.Model(images, x, name="tiny")


@contextmanager
def in_place_of_the_real_one() -> Iterator[None]:
    with MonkeyPatch.context() as patch:
        recipe = backbones._Recipe(backbone, backbones._standardised, ("relu0",))
        patch.setitem(backbones._BACKBONES, "efficientnet_lite0", recipe)
        yield


def sectioned(**options: object) -> TrainConfig:
    """A configuration of options by their last names: ``margin=0.2`` is ``loss.margin``.

    ``loss`` is ``loss.name``.
    """
    return read_config(nested(_whole_names(options)))


def arguments(**options: object) -> list[str]:
    """``--set`` for a command line, of options named as in ``sectioned``."""
    named = _whole_names(options).items()
    return [part for name, value in named for part in ("--set", f"{name}={value}")]


def _whole_names(options: Mapping[str, object]) -> dict[str, object]:
    by_last = {name.rpartition(".")[2]: name for name in option_names()} | {"loss": "loss.name"}
    return {by_last[last]: value for last, value in options.items()}


def config(**options: object) -> TrainConfig:
    """A few seconds of training, unless ``options`` say otherwise; named as in ``sectioned``."""
    few: dict[str, object] = {
        "input_size": SIZE,
        "dimension": 16,
        "classes": 4,
        "images_per_class": 2,
        "frozen_stages": 0,
        "epochs": 2,
        "steps_per_epoch": 2,
    }
    return sectioned(**{**few, **options})


def build(config: TrainConfig) -> Network:
    with in_place_of_the_real_one():
        keras.utils.set_random_seed(config.seed)
        return build_network(config.network)


def caches(folder: Path, config: TrainConfig) -> tuple[ImageCache, ImageCache]:
    """Eight classes of four drawn images to train on, four others to validate."""
    train = draw_classes(folder / "train", 8, 4)
    validation = draw_classes(folder / "validation", 4, 4, first=20)
    size = config.network.input_size
    return (
        open_cache(read_data(train), size, folder / "cache", lambda _: None),
        open_cache(read_data(validation), size, folder / "cache", lambda _: None),
    )
