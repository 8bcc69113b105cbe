"""Configurations from files and command lines."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import ValidationError

from trainer.config.names import not_a_section, option_names, section_names, unknown
from trainer.config.train_config import TrainConfig
from trainer.errors import ConfigError

Values = dict[str, object]


def read_config(values: Mapping[str, object]) -> TrainConfig:
    """Return the configuration of nested ``values``, text from a command line included.

    Raises ``ConfigError`` in a sentence that names the option.
    """
    try:
        return TrainConfig.model_validate(values)
    except ValidationError as exc:
        problem = exc.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            raise ConfigError(unknown(name)) from exc
        if name in section_names() and problem["type"] != "value_error":
            raise ConfigError(not_a_section(name, problem["msg"])) from exc
        message = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{name}: {message}." if name else f"{message}.") from exc


def read_config_file(path: Path) -> Values:
    """Return the values of a TOML file such as those in ``configs/``.

    Raises ``ConfigError`` when it cannot be read, or holds an option that does not exist.
    """
    try:
        with path.open("rb") as stream:
            values = tomllib.load(stream)
    except OSError as exc:
        raise ConfigError(f"{path} cannot be read ({exc.strerror}).") from exc
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} is not a TOML file ({exc}).") from exc
    known = option_names()
    for name, value in flattened(values):
        if name not in known and not (name in section_names() and isinstance(value, dict)):
            raise ConfigError(f"{path}: {unknown(name)}")
    return values


def nested(options: Mapping[str, object]) -> Values:
    """Return ``{"loss": {"margin": 0.2}}`` for ``{"loss.margin": 0.2}``."""
    values: Values = {}
    for name, value in options.items():
        section, dot, option = name.partition(".")
        if not dot:
            values[name] = value
            continue
        within = values.setdefault(section, {})
        if not isinstance(within, dict):
            raise ConfigError(not_a_section(section, f"it is set to {within!r}"))
        within[option] = value
    return values


def merged(first: Mapping[str, object], second: Mapping[str, object]) -> Values:
    """Return ``first`` with the options of ``second`` over it, section by section."""
    values = dict(first)
    for name, value in second.items():
        before = values.get(name)
        both = isinstance(before, dict) and isinstance(value, dict)
        values[name] = {**before, **value} if both else value  # type: ignore[dict-item]
    return values


def flattened(values: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield ``("loss.margin", 0.2)`` for ``{"loss": {"margin": 0.2}}``: the inverse of ``nested``."""
    for name, value in values.items():
        if name in section_names() and isinstance(value, dict):
            yield from ((f"{name}.{option}", within) for option, within in value.items())
        else:
            yield name, value
