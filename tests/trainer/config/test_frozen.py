"""Where the backbone stays as it is, an option that only fine-tuning uses is refused, not ignored."""

from typing import Any

import pytest

from trainer.config import head_alone, nested, options_in_use, read_config
from trainer.errors import ConfigError


def used(options: dict[str, object], width: int = 384) -> dict[str, Any]:
    config = head_alone(read_config(nested(options)), "dino/1", width)
    assert config.epochs == 0
    return options_in_use(config)


def refused(options: dict[str, object]) -> str:
    with pytest.raises(ConfigError) as caught:
        used(options)
    return str(caught.value)


def test_what_the_head_uses_is_kept_and_nothing_else() -> None:
    kept = used({"epochs": 0, "data.test_fraction": 0.2})
    assert set(kept) == {"seed", "data", "network"}
    assert kept["network"] == {"dimension": 384}


def test_an_embedding_is_no_longer_than_the_features() -> None:
    assert used({}, width=768)["network"] == {"dimension": 512}
    assert used({"network.dimension": 64})["network"] == {"dimension": 64}
    assert "network.dimension: dino/1 has 384 features" in refused({"network.dimension": 385})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("epochs", 3),
        ("batch.classes", 8),
        ("loss.margin", 0.2),
        ("network.frozen_stages", 2),
        ("network.input_size", 224),
        ("optimizer.learning_rate", 0.1),
        ("augment.flip", True),
    ],
)
def test_an_option_of_fine_tuning_is_named(option: str, value: object) -> None:
    assert refused({option: value}).startswith(f"{option} has no use with the backbone dino/1: ")


def test_of_many_options_three_are_named() -> None:
    many = {"epochs": 1, "augment.flip": 1, "augment.hue": 0.1, "augment.blur": 1, "loss.margin": 1}
    assert refused({**many}).startswith("epochs, loss.margin, augment.flip and 2 more have no use")
