"""Configurations of version 0.1, which were flat: in manifests, and in the names of runs' states."""

from collections.abc import Mapping

from trainer.config.moved import MOVED, REMOVED
from trainer.config.reading import nested, read_config
from trainer.config.train_config import TrainConfig
from trainer.errors import ConfigError


def read_stored(values: Mapping[str, object]) -> TrainConfig:
    """Return the configuration that a manifest holds, of this version or of 0.1.

    Raises ``ConfigError`` when the model was trained in a way that is no longer supported.
    """
    if not is_flat(values):
        return read_config(values)
    for name, usual in REMOVED.items():
        if values.get(name, usual) != usual:
            raise ConfigError(
                f"The model was trained with {name} = {values[name]!r}, which this version of "
                "Gemello no longer supports; train it again."
            )
    known = {name: value for name, value in values.items() if name not in REMOVED}
    return read_config(nested({MOVED.get(name, name): value for name, value in known.items()}))


def is_flat(values: Mapping[str, object]) -> bool:
    """Return whether ``values`` are a configuration of version 0.1."""
    return any(name in values for name in ("backbone", "input_size", "dimension"))


def flat(config: TrainConfig) -> dict[str, object]:
    """Return ``config`` as version 0.1 would have written it."""
    values = config.model_dump()
    before = dict(REMOVED)
    for old, new in MOVED.items():
        section, _, option = new.rpartition(".")
        before[old] = values[section][option] if section else values[option]
    return before
