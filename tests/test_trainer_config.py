"""The trainer's knobs: text from a command line, and what is impossible."""

from pathlib import Path

import pytest

from trainer.config import TrainConfig, read_config, read_config_file
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
        ({"memory": 9, "loss": "proxy_anchor"}, "memory has no meaning with the loss proxy_anchor"),
        ({"hard_classes": 0.5, "loss": "fixed_triplets"}, "have no meaning with the loss fixed"),
        ({"distillation": 1, "loss": "fixed_triplets"}, "have no meaning with the loss fixed"),
    ],
)
def test_the_impossible_is_refused_in_a_sentence(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(values)


def test_sizes_follow() -> None:
    config = TrainConfig(input_size=128, classes_per_batch=8, images_per_class=4)
    assert (config.batch_size, config.cache_size) == (32, 160)


def test_a_file_of_knobs_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('# Mine.\nloss = "proxy_anchor"\nepochs = 3\nflip = true\n')
    config = read_config(read_config_file(file))
    assert (config.loss, config.epochs, config.flip) == ("proxy_anchor", 3, True)
    file.write_text("")
    assert read_config(read_config_file(file)) == TrainConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epochs 3", r"mine\.toml is not a TOML file"),
        (b"epochs = 3\nepochs = 4", r"mine\.toml is not a TOML file"),
        (b"\xff\xfe", r"mine\.toml is not a TOML file"),
        (b"epoch = 3", r"mine\.toml: epoch is no knob"),
        (b"[train]\nepochs = 3", r"mine\.toml: train is no knob"),
        (b'epochs = "many"', "epochs: .*integer"),
        (b"epochs = [3]", "epochs: .*integer"),
        (b"epochs = 2.5", "epochs: .*integer"),
        (b"margin = nan", "margin: "),
    ],
)
def test_a_wrong_file_is_refused_in_a_sentence(
    content: bytes, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_config(read_config_file(file))


def test_a_file_that_is_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(ConfigError, match="cannot be read"):
            read_config_file(path)


def test_the_named_configurations_load() -> None:
    files = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
    assert files
    for file in files:
        values = read_config_file(file)
        config = read_config(values)
        assert values, "a configuration says something"
        assert {key: getattr(config, key) for key in values} == values, file.name
