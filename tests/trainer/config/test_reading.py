"""The trainer's options: text from a command line, and what is impossible."""

from pathlib import Path

import pytest

from trainer.config import (
    BatchConfig,
    NetworkConfig,
    TrainConfig,
    merged,
    nested,
    read_config,
    read_config_file,
)
from trainer.config.names import unknown
from trainer.errors import ConfigError


def test_text_becomes_numbers() -> None:
    config = read_config(nested({"epochs": "3", "loss.margin": "0.2", "augment.flip": "true"}))
    assert (config.epochs, config.loss.margin, config.augment.flip) == (3, 0.2, True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epoch": 3}, "epoch is not an option of training; did you mean epochs"),
        ({"loss.margin": "wide"}, r"loss\.margin: .*number"),
        ({"loss.margin": 0}, r"loss\.margin: .*greater than 0"),
        ({"batch.images_per_class": 1}, r"batch\.images_per_class: .*greater than or equal to 2"),
        ({"network.backbone": "alexnet"}, r"network\.backbone: .*efficientnet_lite0"),
        (
            {"data.validation_fraction": 0.6, "data.test_fraction": 0.4},
            "leave no class to train on",
        ),
        ({"loss.name": "proxy_anchor"}, r"loss\.name: .*multi_similarity"),
        ({"network.keep": 0.4}, r"network\.keep is not an option of training"),
    ],
)
def test_the_impossible_is_refused_in_a_sentence(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read_config(nested(values))


def test_sizes_follow() -> None:
    assert BatchConfig(classes=8, images_per_class=4).size == 32
    assert [NetworkConfig(input_size=size).train_size for size in (192, 128, 32)] == [128, 85, 32]


def test_a_file_of_options_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('epochs = 3\n# Mine.\n[loss]\nname = "triplet"\n[augment]\nflip = true\n')
    config = read_config(read_config_file(file))
    assert (config.loss.name, config.epochs, config.augment.flip) == ("triplet", 3, True)
    file.write_text("")
    assert read_config(read_config_file(file)) == TrainConfig()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"epochs 3", r"mine\.toml is not a TOML file"),
        (b"epochs = 3\nepochs = 4", r"mine\.toml is not a TOML file"),
        (b"\xff\xfe", r"mine\.toml is not a TOML file"),
        (b"epoch = 3", r"mine\.toml: epoch is not an option .* epochs"),
        (b"[train]\nepochs = 3", r"mine\.toml: train is not an option"),
        (b'epochs = "many"', "epochs: .*integer"),
        (b"epochs = [3]", "epochs: .*integer"),
        (b"epochs = 2.5", "epochs: .*integer"),
        (b"[loss]\nmargin = nan", r"loss\.margin: "),
        (b"[loss]\nmargn = 1", r"mine\.toml: loss\.margn .* did you mean loss\.margin"),
        (b"margin = 1", r"mine\.toml: margin .* did you mean loss\.margin"),
        (b"loss = 'triplet'", r"mine\.toml: loss .* did you mean loss\.name"),
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
    files = sorted((Path(__file__).parents[3] / "configs").glob("*.toml"))
    assert files
    for file in files:
        values = read_config_file(file)
        config = read_config(values)
        assert values, "a configuration says something"
        assert merged(config.model_dump(), values) == config.model_dump(), file.name


def test_options_of_two_sources_are_merged_by_section() -> None:
    first, second = {"epochs": 3, "loss": {"margin": 0.2}}, {"loss": {"memory": 5}, "seed": 1}
    both = {"epochs": 3, "loss": {"margin": 0.2, "memory": 5}, "seed": 1}
    assert merged(first, second) == both
    assert first == {"epochs": 3, "loss": {"margin": 0.2}}


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("margin", "loss.margin"),
        ("loss.margn", "loss.margin"),
        ("los.margin", "loss.margin"),
        ("network.ema", "optimizer.ema"),
        ("classes_per_batch", "batch.classes"),
        ("learningrate", "optimizer.learning_rate"),
    ],
)
def test_a_misspelt_option_is_answered_with_the_one_that_was_meant(name: str, meant: str) -> None:
    assert unknown(name) == f"{name} is not an option of training; did you mean {meant}?"


def test_a_section_is_not_an_option() -> None:
    with pytest.raises(ConfigError, match=r"loss is a section of options, such as loss\.name"):
        read_config(nested({"loss": "triplet"}))
    with pytest.raises(ConfigError, match="loss is a section of options"):
        read_config(nested({"loss": "triplet", "loss.margin": 0.2}))
