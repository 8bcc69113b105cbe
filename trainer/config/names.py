"""The names of all options, and the message on one that does not exist."""

import difflib
from collections.abc import Iterator

from trainer.config.moved import MOVED
from trainer.config.section import Section
from trainer.config.train_config import TrainConfig


def options() -> Iterator[tuple[str, object, str]]:
    """Yield name, default and description of every option, in the order of the sections."""
    for name, field in TrainConfig.model_fields.items():
        if not isinstance(field.default, Section):
            yield name, field.default, field.description or ""
            continue
        for option, within in type(field.default).model_fields.items():
            yield f"{name}.{option}", within.default, within.description or ""


def option_names() -> list[str]:
    """Return ``seed`` … ``augment.overlay``."""
    return [name for name, _, _ in options()]


def unknown(name: str) -> str:
    """Return a sentence on the option ``name``, which does not exist, with the likeliest one."""
    guess = _likeliest(name)
    advice = f"did you mean {guess}?" if guess else "docs/settings.md lists them."
    return f"{name} is not an option of training; {advice}"


def section_names() -> list[str]:
    """Return ``data`` … ``augment``."""
    fields = TrainConfig.model_fields.items()
    return [name for name, field in fields if isinstance(field.default, Section)]


def not_a_section(name: str, problem: str) -> str:
    """Return a sentence on ``name``, a section that was set as if it were an option."""
    example = next(known for known in option_names() if known.startswith(f"{name}."))
    return f"{name} is a section of options, such as {example} ({problem.rstrip('.')})."


def _likeliest(name: str) -> str | None:
    """By its last part first: most often the section is missing, or wrong."""
    last = name.rpartition(".")[2]
    if name in MOVED and MOVED[name] != name:
        return MOVED[name]
    by_last = {known.rpartition(".")[2]: known for known in option_names()}
    if last in by_last:
        return by_last[last]
    close = difflib.get_close_matches(name, option_names(), 1, 0.75)
    if close:
        return close[0]
    close = difflib.get_close_matches(last, by_last, 1, 0.7)
    return by_last[close[0]] if close else None
