"""The trainer's knobs: text from a command line, and what is impossible."""

import pytest

from trainer.config import TrainConfig, read_config
from trainer.errors import ConfigError


def test_text_becomes_numbers() -> None:
    config = read_config({"epochs": "3", "margin": "0.2", "flip": "true"})
    assert (config.epochs, config.margin, config.flip) == (3, 0.2, True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "epoch: Extra inputs"),
        ({"margin": "wide"}, "margin: .*number"),
        ({"margin": 0}, "margin: .*greater than 0"),
        ({"images_per_class": 1}, "images_per_class: .*greater than or equal to 2"),
        ({"backbone": "alexnet"}, "backbone: .*efficientnet_lite0"),
        ({"validation_fraction": 0.6, "test_fraction": 0.4}, "leave no class to train on"),
        ({"head_epochs": 0, "epochs": 0}, "nothing would be trained"),
    ],
)
def test_the_impossible_is_refused_in_a_sentence(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(values)


def test_sizes_follow() -> None:
    config = TrainConfig(input_size=128, classes_per_batch=8, images_per_class=4)
    assert (config.batch_size, config.cache_size) == (32, 160)
