"""What is left of the options where a backbone stays as it is, and a head alone is fitted to its features."""

from typing import Any

from trainer.config.reading import flattened
from trainer.config.train_config import TrainConfig
from trainer.errors import ConfigError

# As pydantic takes it: what only fine-tuning uses, or what the backbone decides.
_UNUSED: dict[str, Any] = {
    "epochs": True,
    "batch": True,
    "network": {"backbone", "weights", "input_size", "frozen_stages"},
    "loss": True,
    "optimizer": True,
    "augment": True,
}
_NAMED = 3


def head_alone(config: TrainConfig, backbone: str, width: int) -> TrainConfig:
    """Return ``config`` for a head on the features [N, ``width``] of ``backbone``, a model of the store.

    Raises ``ConfigError`` where an option was given that would change nothing.
    """
    given = dict(flattened(config.model_dump(include=_UNUSED, exclude_unset=True)))
    if not config.epochs:
        # What happens anyway may be asked for.
        given.pop("epochs", None)
    if given:
        raise ConfigError(_useless(list(given), backbone))
    dimension = config.network.dimension
    if dimension > width and "dimension" in config.network.model_fields_set:
        raise ConfigError(
            f"network.dimension: {backbone} has {width} features, of which a linear head makes no "
            f"embedding of {dimension}; give {width} at most."
        )
    network = config.network.model_copy(update={"dimension": min(dimension, width)})
    return config.model_copy(update={"epochs": 0, "network": network})


def options_in_use(config: TrainConfig) -> dict[str, Any]:
    """Return the options that a run with ``head_alone`` depends on, by section."""
    values = config.model_dump(exclude=_UNUSED)
    return {name: value for name, value in values.items() if value != {}}


def _useless(names: list[str], backbone: str) -> str:
    shown = ", ".join(names[:_NAMED])
    if len(names) > _NAMED:
        shown += f" and {len(names) - _NAMED} more"
    have = "have" if len(names) > 1 else "has"
    return (
        f"{shown} {have} no use with the backbone {backbone}: it stays as it is, and a head alone is "
        "fitted to its features."
    )
