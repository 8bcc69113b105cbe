"""Configurations of version 0.1, which had no sections."""

import json
import zipfile
from pathlib import Path

import pytest

from trainer.config import TrainConfig, flat, read_config, read_stored
from trainer.errors import ConfigError

ARCHIVE = Path(__file__).parents[1] / "data" / "version_0_1.zip"
with zipfile.ZipFile(ARCHIVE) as _archive:
    STORED = json.loads(_archive.read("store/mine/1/manifest.json"))["training"]["config"]


def test_a_flat_configuration_is_read_and_written_as_it_was() -> None:
    config = read_stored(STORED)
    assert (config.loss.margin, config.network.keep, config.publish.blend) == (0.2, 0.4, 0.8)
    assert config.batch.classes == STORED["classes_per_batch"]
    assert flat(config) == STORED


def test_a_configuration_of_today_is_read_as_it_is() -> None:
    config = read_config({"loss": {"margin": 0.3}})
    assert read_stored(config.model_dump()) == config
    assert read_stored({}) == TrainConfig()


def test_what_is_no_longer_supported_is_said() -> None:
    with pytest.raises(ConfigError, match=r"pooling = 'gem'.*no longer supports"):
        read_stored({**STORED, "pooling": "gem"})
